"""The eventful save of the halls, with the folders of its forms on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.paths import SaveFolder
from tests.halls.conftest import folder, realm, story_made  # noqa: F401
from tests.oracle.places import Village, give_folders


@pytest.fixture
def told(folder: SaveFolder) -> SaveFolder:  # noqa: F811
    """A save whose forms lie on the disk: steps 400 and 900 (champion, level 2) with exams, 1250 without."""
    give_folders(folder)
    return folder


@pytest.fixture
def village() -> Village:
    """The places of the realm: the Arena here, an Inn that holds one form at a time, somebody else's study."""
    return Village()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where an export may go."""
    return tmp_path / "out"
