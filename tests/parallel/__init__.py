"""Several processes: the same losses, the same state, the same game."""
