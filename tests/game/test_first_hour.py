"""The first hour of a player: the real PIP under a real terminal, honest rules, one life through everything.

One engine lives through the whole module; the tests follow each other as a player's deeds do.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from configs.paths import SaveFolder
from engine.link.ring import RingReader
from realm_tui.app.source import SaveSource
from realm_tui.runtime.board import add
from tests.face import samples
from tests.face.terminal import Terminal
from tests.face.tour import walk
from tests.game.world import Realm, until, write_chats

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

STALL_S = 5.0
"""How long the terminal stops reading here; the benchmark stalls it for thirty seconds."""


@pytest.fixture(scope="module")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Realm]:
    made = Realm(tmp_path_factory.mktemp("realm") / "home", rules={"engine": {"min_free_gb": 0.0}}, tiny=False)
    yield made
    made.stop()


def play(realm: Realm) -> Terminal:
    """`realm play` in a terminal of its own."""
    return Terminal([sys.executable, "-m", "realm_tui", "play"], env=realm.env)


@pytest.fixture(scope="module")
def won(realm: Realm) -> Realm:
    """PIP made on the spot, trained in the face until the first level is won, then left alone."""
    terminal = play(realm)
    try:
        terminal.until_shown("PIP", "tavern")
        terminal.type("p")

        def level_won() -> bool:
            terminal.pump()
            return realm.folder.database.exists() and bool(realm.rows("SELECT 1 FROM live_level_ups"))

        until(level_won, "the first honest level-up")
        assert terminal.hang_up() == 0
    finally:
        terminal.close()
    return realm


async def test_every_screen_shows_what_the_hero_really_lived_through(
    won: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    from realm_tui.app.app import RealmApp
    from realm_tui.app.drawing import Look
    from realm_tui.app.link import EngineLink
    from realm_tui.app.screens.registry import HOME, SCREENS
    from realm_tui.app.source import SaveSource
    from realm_tui.app.widgets.banner import Banner
    from tests.face.samples import FakeKeeper

    for name in ("REALM_HOME", "REALM_CONFIG_DIR", "REALM_SAVE"):
        monkeypatch.setenv(name, won.env[name]) if name in won.env else monkeypatch.delenv(name, raising=False)
    source = SaveSource(won.folder)
    link = EngineLink(won.folder, read_only=True)
    with ThreadPoolExecutor(1) as reader:
        first = reader.submit(source.opening).result()
        app = RealmApp(source, link, FakeKeeper(), first.rules, look=Look(), first=first.facts, reader=reader)
        async with app.run_test(size=(120, 40)) as pilot:
            for one in SCREENS:
                app.action_go(one.id)
                end = time.monotonic() + 60
                while app.top.place != one.id or (one.id != HOME and getattr(app.top, "data", None) is None):
                    assert time.monotonic() < end, f"{one.id} shows nothing"
                    await pilot.pause(0.05)
                await pilot.pause()
                assert app.top.query_one("#banner", Banner).trouble == "", one.id
            assert [n.message for n in app._notifications if n.severity == "error"] == []
        reader.submit(source.close).result()


def test_the_first_level_is_won_in_three_passed_exams_on_unseen_problems(won: Realm) -> None:
    (level_up,) = won.rows("SELECT step, exam_ids_json, checkpoint_id FROM live_level_ups WHERE to_level = 1")
    exams = json.loads(level_up[1])
    assert len(exams) == 3
    for exam in exams:
        items, correct, level = won.rows("SELECT items, correct, level FROM exams WHERE id = ?", exam)[0]
        assert level == 1 and correct / items >= 0.80
        rows = won.rows("SELECT prompt, expected, answer, correct FROM exam_items WHERE exam_id = ?", exam)
        assert len(rows) == items and sum(row[3] for row in rows) == correct
    assert won.one("SELECT step FROM checkpoints WHERE id = ?", level_up[2]) == level_up[0]


def test_closing_the_terminal_leaves_the_hero_training_and_coming_back_tells_of_it(won: Realm) -> None:
    assert won.trainer_pid() is not None
    before = won.status()["step"]
    won.wait_for_step(before + 60)
    terminal = play(won)
    try:
        terminal.until_shown("While you were away")
        assert terminal.hang_up() == 0
    finally:
        terminal.close()
    assert won.trainer_pid() is not None


def test_a_terminal_that_stops_reading_does_not_hold_up_training(won: Realm) -> None:
    terminal = play(won)
    try:
        terminal.until_shown("PIP")
        reader = RingReader(won.folder.ring)
        first = reader.snapshot()
        gap, last, until_at = 0.0, time.time(), time.monotonic() + STALL_S
        while time.monotonic() < until_at:
            snapshot = reader.snapshot()
            assert snapshot is not None
            if snapshot.heartbeat_at > last:
                gap, last = max(gap, snapshot.heartbeat_at - last), snapshot.heartbeat_at
            time.sleep(0.05)
        end = reader.snapshot()
        assert first is not None and end is not None and first.step is not None and end.step is not None
        assert end.step > first.step
        print(f"{end.step - first.step} steps in {STALL_S:g} s of stall, largest heartbeat gap {gap:.2f} s")
        assert terminal.hang_up() == 0
    finally:
        terminal.close()


def test_a_killed_face_takes_nothing_with_it(won: Realm) -> None:
    terminal = play(won)
    terminal.until_shown("PIP")
    terminal.process.send_signal(signal.SIGKILL)
    terminal.process.wait(timeout=30)
    terminal.close()
    before = won.status()["step"]
    won.wait_for_step(before + 5)


def test_commands_take_effect_and_name_their_step(won: Realm) -> None:
    paused = json.loads(won.run("pause", "--json"))
    status = won.status()
    assert status["state"] == "paused" and status["step"] == paused["step"]
    checkpoint = json.loads(won.run("checkpoint", "--json"))
    assert checkpoint["step"] == status["step"]
    crowned = json.loads(won.run("promote", "--json"))
    assert (Path(crowned["path"]) / "model.safetensors").is_file()
    steered = json.loads(won.run("set", "--rate", "0.5", "--json"))
    assert steered["step"] == status["step"] and steered["result"]["rate_factor"] == 0.5
    assert "×1" in won.run("set", "--rate", "own")
    assert json.loads(won.run("park", "--json"))["result"] == {"device": "cpu", "freed_bytes": 0}
    won.run("resume")
    won.run("pause")
    answer = json.loads(won.run("ask", "Compute: xor(⓪①, ①①)", "--json"))
    assert answer["form"] == crowned["name"]
    won.run("resume")
    won.wait_for_step(status["step"] + 3)


def test_the_players_own_file_is_trained_measured_and_left_untouched(won: Realm, tmp_path: Path) -> None:
    file = write_chats(tmp_path / "chats.jsonl", 60)
    before = file.read_bytes()
    report = json.loads(won.run("train", str(file), "--epochs", "3", "--json"))
    assert report["state"] == "completed" and report["loss_after"] < report["loss_before"]
    assert file.read_bytes() == before
    quest = json.loads(won.run("quest", "show", "chats", "--json"))
    tokens = quest["tokens"]
    assert tokens["in"] == tokens["trained"] + tokens["masked"] + tokens["truncated"] + tokens["dropped"]


def test_screen_line_and_json_agree_when_the_engine_rests(won: Realm) -> None:
    won.run("pause")
    status = won.status()
    line = won.run("status")
    assert f"{status['step']}" in line.replace(",", "")
    held = status["skills"]["bin"]["held"]
    assert f"{status['skills']['bin']['mastered']} won, {held} held" in line
    terminal = play(won)
    try:
        terminal.until_shown(f"{status['step']:,}", f"{held} held")
        assert terminal.hang_up() == 0
    finally:
        terminal.close()
    won.run("resume")


@pytest.mark.full
@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_every_key_is_harmless_on_the_save_that_pip_trained(
    won: Realm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    """Every screen is opened and every key of its own pressed, so it is a copy of the save; no engine runs on it."""
    won.stop()
    home = tmp_path / "home"
    shutil.copytree(won.folder.root.parents[1], home)
    monkeypatch.setenv("REALM_HOME", str(home))
    link = samples.FakeLink()
    link.folder = folder = SaveFolder.named(won.folder.name)
    add(folder, write_chats(tmp_path / "letters.jsonl", 60), priority="normal", source="test")
    with ThreadPoolExecutor(max_workers=1) as reader:
        source = SaveSource(folder)
        opening = reader.submit(source.opening).result()
        app = samples.app(opening.facts, source=source, link=link, reader=reader)
        async with app.run_test(size=size) as pilot:
            shown = await walk(app, pilot)
        reader.submit(source.close).result()
    for place, told in (("guild", "BIN"), ("vault", "level_up"), ("evals", "BIN L"), ("board", "letters")):
        assert told in shown[place], f"{place}: {shown[place]}"
