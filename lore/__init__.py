"""The rules of the game as pure functions of facts, and the words for them."""
