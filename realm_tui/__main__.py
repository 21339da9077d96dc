"""``python -m realm_tui`` is ``realm``."""

from realm_tui.cli.main import run

run()
