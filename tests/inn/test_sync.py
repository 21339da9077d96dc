"""A form on a box: only what is missing is sent, it is whole or not there, and one in use is never removed."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest

from configs.errors import BlockedError, RealmError
from configs.inn import SyncRules
from realm_tui.runtime.inn import supervisor, sync
from realm_tui.runtime.inn.box import LocalBox
from tests.inn.conftest import MakeForm, digest_of

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


def keeping(box: LocalBox, keep: int, reserve_gb: float = 0.0) -> None:
    rules = SyncRules(keep=keep, reserve_gb=reserve_gb)
    box.rules = box.rules.model_copy(update={"sync": rules})


async def test_a_form_arrives_whole_under_its_digest(here: LocalBox, form: MakeForm) -> None:
    folder = form()
    heard: list[tuple[int, int]] = []
    pushed = await here.push(
        folder, facts={"hero": {"id": "pip"}, "began_at": 5.0}, progress=lambda a, b: heard.append((a, b))
    )
    there = Path(pushed.directory)
    assert pushed.digest == digest_of(folder) == there.name
    manifest = json.loads((there / "MANIFEST.json").read_text("utf-8"))
    assert manifest["hero"] == {"id": "pip"} and manifest["step"] == 10 and manifest["name"] == folder.name
    assert set(manifest["files"]) == {"model.safetensors", "config.json", "tokenizer.json"}
    for name, facts in manifest["files"].items():
        data = (there / name).read_bytes()
        assert data == (folder / name).read_bytes() and hashlib.sha256(data).hexdigest() == facts["sha256"]
    assert heard[-1] == (pushed.total_bytes, pushed.total_bytes) and pushed.sent_bytes == pushed.total_bytes


async def test_what_is_there_is_not_sent_again(here: LocalBox, form: MakeForm) -> None:
    first, second = form(), form("checkpoint-20-20260101-0000")
    await here.push(first)
    assert (await here.push(first)).sent_bytes == 0
    assert (await here.push(second)).sent_bytes == 300_000
    assert [kept.step for kept in await sync.forms(here)] == [10, 10]
    assert (await sync.verify(here, digest_of(second))).sound


async def test_a_push_goes_on_where_a_cut_left_it(here: LocalBox, form: MakeForm) -> None:
    folder = form(size=1_000_000)
    sha = json.loads((folder / ".ledger.json").read_text("utf-8"))["files"]["model.safetensors"]
    await here.push(form("checkpoint-5-20260101-0000"))
    blobs = Path(await here.inn()) / "store" / "blobs"
    half = (folder / "model.safetensors").read_bytes()[:600_000]
    (blobs / f"{sha}.{supervisor.realm_id()}.part").write_bytes(half)
    pushed = await here.push(folder)
    assert pushed.sent_bytes == 400_000 and (await sync.verify(here, pushed.digest)).sound
    assert not list(blobs.glob("*.part*"))


async def test_a_damaged_part_is_thrown_away_and_sent_anew(here: LocalBox, form: MakeForm) -> None:
    folder = form(size=1_000_000)
    sha = json.loads((folder / ".ledger.json").read_text("utf-8"))["files"]["model.safetensors"]
    await here.push(form("checkpoint-5-20260101-0000"))
    (Path(await here.inn()) / "store" / "blobs" / f"{sha}.{supervisor.realm_id()}.part").write_bytes(b"x" * 600_000)
    pushed = await here.push(folder)
    assert pushed.sent_bytes == 1_400_000 and (await sync.verify(here, pushed.digest)).sound


async def test_a_form_damaged_here_is_never_put_there(here: LocalBox, form: MakeForm) -> None:
    folder = form()
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[100] ^= 1
    (folder / "model.safetensors").write_bytes(bytes(data))
    with pytest.raises(RealmError) as error:
        await here.push(folder)
    assert error.value.code == "CHECKPOINT_CORRUPT" and await sync.forms(here) == []


async def test_a_form_damaged_there_is_noticed_and_healed_by_the_next_push(here: LocalBox, form: MakeForm) -> None:
    folder = form()
    there = Path((await here.push(folder)).directory)
    (there / "model.safetensors").chmod(0o600)
    (there / "model.safetensors").write_bytes(b"z" * 300_000)
    checked = await sync.verify(here, digest_of(folder), heal=True)
    assert checked.bad == ("model.safetensors",)
    assert (await here.push(folder)).sent_bytes == 300_000
    assert (await sync.verify(here, digest_of(folder))).sound


async def test_a_full_disk_is_said_before_anything_is_sent(here: LocalBox, form: MakeForm) -> None:
    keeping(here, 10, reserve_gb=1e9)
    with pytest.raises(BlockedError) as error:
        await here.push(form())
    assert error.value.code == "DISK_FULL_THERE" and "GB are free" in error.value.why
    store = Path(await here.inn()) / "store"
    assert list((store / "ckpt").iterdir()) == [] and list((store / "blobs").iterdir()) == []


async def test_old_forms_make_room_but_never_one_in_use(here: LocalBox, form: MakeForm) -> None:
    keeping(here, 2)
    folders = [form(f"checkpoint-{n}-20260101-0000", seed=n) for n in range(4)]
    digests = [digest_of(folder) for folder in folders]
    await here.push(folders[0])
    await supervisor.start(here, "own", SLEEPER, uses=[digests[0]])
    await here.push(folders[1])
    third = await here.push(folders[2])
    assert third.removed == (digests[1],)
    assert {kept.digest: kept.in_use for kept in await sync.forms(here)} == {digests[0]: True, digests[2]: False}
    with pytest.raises(BlockedError) as error:
        await sync.drop(here, digests[0])
    assert error.value.code == "FORM_IN_USE_THERE"
    await supervisor.use(here, "own", [digests[2]])
    assert await sync.clean(here, dry=True) == []
    assert (await here.push(folders[3])).removed == (digests[0],)
    blobs = Path(await here.inn()) / "store" / "blobs"
    assert len([p for p in blobs.iterdir() if p.stat().st_nlink == 1]) == 0


async def test_forms_another_realm_uses_stay(here: LocalBox, form: MakeForm, monkeypatch: pytest.MonkeyPatch) -> None:
    keeping(here, 1)
    theirs, ours = form(), form("checkpoint-20-20260101-0000")
    await here.push(theirs)
    await supervisor.start(here, "own", SLEEPER, uses=[digest_of(theirs)])
    monkeypatch.setenv("REALM_HOME", str(here.base / "another"))
    await here.push(ours)
    assert {kept.digest for kept in await sync.forms(here)} == {digest_of(theirs), digest_of(ours)}


async def test_a_base_stays_as_long_as_an_adapter_on_it(here: LocalBox, form: MakeForm, tmp_path: Path) -> None:
    keeping(here, 1)
    model = tmp_path / "model"
    model.mkdir()
    for name in ("config.json", "model.safetensors", "README.md"):
        (model / name).write_bytes(name.encode() * 1000)
    base = await here.push(model)
    assert set(json.loads((Path(base.directory) / "MANIFEST.json").read_text("utf-8"))["files"]) == {
        "config.json",
        "model.safetensors",
    }
    first, second = form(), form("checkpoint-20-20260101-0000")
    await here.push(first, facts={"base": base.digest})
    assert (await here.push(second, facts={"base": base.digest})).removed == (digest_of(first),)
    assert {kept.digest for kept in await sync.forms(here)} == {base.digest, digest_of(second)}


@pytest.mark.parametrize("name", ["../escape", "/etc/passwd", "a/../../b", "MANIFEST.json", ""])
async def test_no_file_of_a_form_lands_outside_it(here: LocalBox, form: MakeForm, name: str) -> None:
    from realm_tui.runtime.inn.there.place import RefusedError
    from realm_tui.runtime.inn.there.store import checked_name

    with pytest.raises(RefusedError):
        checked_name(name)
