"""Numbered steps from an empty database to today's schema; `STEPS[n]` leads from version n to n + 1."""

from saves.migrations.m0001_first import STATEMENTS as _FIRST

STEPS: tuple[tuple[str, ...], ...] = (_FIRST,)
SCHEMA_VERSION = len(STEPS)
