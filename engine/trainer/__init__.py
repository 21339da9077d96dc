"""The trainer: loads the hero, trains it step by step, examines it, saves it, and writes the facts."""
