"""Shipped YAML, its typed schema and the layered loader; also the house-wide paths, clock and error types."""

import os

# Read once by the libraries when they are first imported, so it must stand before any of them: nothing phones home.
for _name in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
    os.environ.setdefault(_name, "1")
