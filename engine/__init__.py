"""The engine: keeper, trainer and everything that makes facts. Run as ``python -m engine``."""
