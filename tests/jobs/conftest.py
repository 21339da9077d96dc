"""A real save, and time that stands still until a test moves it."""

from __future__ import annotations

from tests.saves.conftest import Clock, folder, save, time

__all__ = ["Clock", "folder", "save", "time"]
