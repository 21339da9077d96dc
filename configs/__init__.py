"""Shipped YAML, its typed schema and the layered loader; also the house-wide paths, clock and error types."""
