"""Where the socket lies: short, private, and findable from the save."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs.errors import RealmError
from configs.paths import SaveFolder
from engine.link.endpoint import MAX_SOCKET_PATH_BYTES, read_pointer, remove_pointer, socket_path, write_pointer


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="rk-") as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        yield Path(short)


@pytest.fixture
def folder(tmp_path: Path) -> SaveFolder:
    folder = SaveFolder(tmp_path / "hearth")
    folder.make()
    return folder


def test_the_socket_lies_in_a_private_folder_under_the_temporary_one(folder: SaveFolder, temporary: Path) -> None:
    path = socket_path(folder)
    assert path.parent.parent == temporary
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert socket_path(folder) == path
    assert socket_path(SaveFolder(folder.root.parent / "other")) != path


def test_the_runtime_folder_of_a_login_is_never_used(
    folder: SaveFolder, temporary: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert tmp_path not in socket_path(folder).parents


def test_a_save_reached_by_another_path_has_the_same_socket(folder: SaveFolder, temporary: Path) -> None:
    link = folder.root.parent / "link"
    link.symlink_to(folder.root)
    assert socket_path(SaveFolder(link)) == socket_path(folder)


def test_a_temporary_folder_that_is_too_deep_is_avoided(
    folder: SaveFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    assert len(os.fsencode(socket_path(folder))) <= MAX_SOCKET_PATH_BYTES


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_folder_somebody_prepared_is_refused(folder: SaveFolder, temporary: Path, tmp_path: Path, kind: str) -> None:
    trap = temporary / f"realm-{os.geteuid()}"
    trap.write_text("") if kind == "file" else trap.symlink_to(tmp_path)
    with pytest.raises(RealmError) as refused:
        socket_path(folder)
    assert refused.value.code == "SOCKET_FOLDER"
    assert str(trap) in refused.value.what


def test_a_folder_others_could_enter_is_closed_to_them(folder: SaveFolder, temporary: Path) -> None:
    (temporary / f"realm-{os.geteuid()}").mkdir(mode=0o755)
    assert socket_path(folder).parent.stat().st_mode & 0o777 == 0o700


def test_only_a_living_pointer_to_a_socket_is_believed(folder: SaveFolder, temporary: Path) -> None:
    path = socket_path(folder)
    assert read_pointer(folder) is None
    write_pointer(folder, path)
    assert read_pointer(folder) is None
    path.write_text("no socket")
    assert read_pointer(folder) is None
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert read_pointer(folder) == path
        remove_pointer(folder, path)
    assert read_pointer(folder) is None
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"/tmp\0/x", b"x" * 5000])
def test_a_damaged_pointer_is_no_pointer(folder: SaveFolder, content: bytes) -> None:
    folder.socket_pointer.write_bytes(content)
    assert read_pointer(folder) is None
