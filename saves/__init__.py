"""The save file: one SQLite database per save that keeps every fact, and the stores that read and write it."""
