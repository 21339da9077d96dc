"""The player's data: file formats and their check, the quest board's door, and the data plan of a quest. Torch-free."""
