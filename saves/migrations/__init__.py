"""Numbered steps from an empty database to today's schema; `STEPS[n]` leads from version n to n + 1."""

from saves.migrations.m0001_first import STATEMENTS as _FIRST
from saves.migrations.m0002_claims import STATEMENTS as _CLAIMS
from saves.migrations.m0003_lookups import STATEMENTS as _LOOKUPS
from saves.migrations.m0004_keys import STATEMENTS as _KEYS
from saves.migrations.m0005_inn import STATEMENTS as _INN
from saves.migrations.m0006_places import STATEMENTS as _PLACES
from saves.migrations.m0007_step_parts import STATEMENTS as _STEP_PARTS

STEPS: tuple[tuple[str, ...], ...] = (_FIRST, _CLAIMS, _LOOKUPS, _KEYS, _INN, _PLACES, _STEP_PARTS)
SCHEMA_VERSION = len(STEPS)
