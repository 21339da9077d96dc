"""What the game takes and gives in numbers; `python -m benchmarks` runs them."""
