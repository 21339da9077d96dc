"""``realm quest``, ``realm ledger``, ``realm events``, ``realm log`` and ``realm doctor`` on a save with a story in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from configs import clock
from configs.errors import RealmError
from configs.paths import SaveFolder
from realm_tui.runtime.events import EventFeed
from realm_tui.runtime.opened import ensure_save, opened
from saves import runs
from saves.checkpoint_folder import LEDGER_FILE, model_digest, sha256
from saves.database import open_save
from saves.locks import FileLock
from tests.cli.conftest import Answer
from tests.cli.story import NOW
from tests.saves import facts

Realm = Callable[..., Answer]
Golden = Callable[[str, str], None]
GOOD = b'{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}\n'


def test_adding_a_quest_makes_the_default_save_and_leaves_the_file_alone(realm: Realm, tmp_path: Path) -> None:
    file = tmp_path / "chat.jsonl"
    file.write_bytes(GOOD * 3)
    added = realm("quest", "add", str(file), "--priority", "high", "--epochs", "2", "--json")
    assert (added.code, added.json["name"], added.json["priority"], added.json["epochs"]) == (0, "chat", "high", 2)
    assert file.read_bytes() == GOOD * 3
    assert realm("status", "--json").json["queue"] == {"high": 1, "normal": 0, "low": 0}
    again = realm("quest", "add", str(file), "--json").json
    assert again["name"] == "chat-2"
    assert realm("quest", "remove", "chat-2").out == "chat-2 is off the board\n"
    assert [q["name"] for q in realm("quest", "list", "--json").json] == ["chat"]
    assert {q["state"] for q in realm("quest", "list", "--all", "--json").json} == {"queued", "removed"}


def test_a_file_that_cannot_become_a_quest_is_refused_with_line_and_reason(realm: Realm, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_bytes(GOOD + b"not json\n" + b'{"messages": [{"role": "user", "content": "hi"}]}\n')
    checked = realm("quest", "check", str(file), "--json")
    assert checked.code == 1
    assert set(checked.json) >= {"ok", "errors", "counts"}
    assert [e["line"] for e in checked.json["errors"]] == [2, 3]
    refused = realm("quest", "add", str(file))
    assert refused.code == 1
    assert "bad.jsonl, line 2: not JSON" in refused.err
    assert realm("quest", "list", "--json").json == []
    assert realm("quest", "check", str(tmp_path / "none.jsonl")).code == 2


def test_what_is_too_long_depends_on_the_hero(realm: Realm, tmp_path: Path) -> None:
    file = tmp_path / "long.jsonl"
    file.write_bytes(GOOD.replace(b"hello", b"\xc3\xa9" * 400))
    refused = realm("quest", "check", str(file), "--json")
    assert refused.code == 1
    assert "512" in refused.json["errors"][0]["reason"]
    assert realm("quest", "check", str(file), "--hero", "dio").code == 0


def test_a_check_shows_what_is_trained_and_refuses_what_would_train_too_much(
    realm: Realm, tmp_path: Path, golden: Golden, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("chat.jsonl").write_bytes(GOOD * 3)
    checked = realm("quest", "check", "chat.jsonl")
    assert checked.code == 0
    golden("quest_check.txt", checked.out)
    Path("story.jsonl").write_bytes(GOOD.replace(b"hello", b"once upon a time there was a word"))
    refused = realm("quest", "check", "story.jsonl")
    assert refused.code == 1
    golden("quest_check_refused.txt", refused.out)
    assert realm("quest", "check", "story.jsonl", "--json").json["reasons"] == [
        "MaskingRatio: 22.7% of the tokens are masked, and at least 25% should be"
    ]
    assert realm("quest", "check", "story.jsonl", "--long-answers").code == 0
    answer = realm("quest", "add", "story.jsonl")
    assert answer.code == 1 and "--long-answers" in answer.err
    assert realm("quest", "add", "story.jsonl", "--long-answers", "--json").json["counts"]["long_answers"] == 1
    unknown = realm("quest", "check", "chat.jsonl", "--hero", "dio").out
    assert "masks: not checked" in unknown and "(estimated)" in unknown


def test_the_board_and_a_quests_story(realm: Realm, played: SaveFolder, golden: Golden) -> None:
    golden("quest_list.txt", realm("quest", "list").out)
    page = realm("quest", "show", "chats").out
    assert "\x1b" not in page
    golden("quest_show.txt", page)
    assert realm("quest", "show", "1", "--json").json["loss_after"] == 1.125


def test_the_ledger(realm: Realm, played: SaveFolder, golden: Golden) -> None:
    forms = realm("ledger", "list", "--json").json
    assert [(f["step"], f["champion"]) for f in forms] == [(400, False), (900, True), (1250, False)]
    assert all({"step", "name", "path", "champion", "digest"} <= set(f) for f in forms)
    golden("ledger_list.txt", realm("ledger", "list").out)
    golden("ledger_show.txt", realm("ledger", "show", "champion").out)
    assert realm("ledger", "show", "best", "--json").json["step"] == 900
    assert realm("ledger", "show", "1250", "--json").json["reasons"] == ["stop"]
    assert realm("ledger", "show", "999").code == 2


def test_a_damaged_checkpoint_is_not_exported(realm: Realm, played: SaveFolder, tmp_path: Path) -> None:
    answer = realm("ledger", "export", "latest", str(tmp_path / "out"))
    assert answer.code == 1
    assert answer.err.startswith("realm: ")
    assert not (tmp_path / "out").exists()


def test_going_back_is_said_first_and_done_only_with_yes(realm: Realm, played: SaveFolder) -> None:
    path = played.root / "checkpoints" / "checkpoint-400"
    (path / "trainer").mkdir(parents=True)
    (path / "trainer" / "state.json").write_text(json.dumps({"values": {"applied_seq": 0}}), encoding="utf-8")
    files = {"trainer/state.json": sha256(path / "trainer" / "state.json")}
    sidecar = {"files": files, "digest": model_digest(files)}
    (path / LEDGER_FILE).write_text(json.dumps(sidecar), encoding="utf-8")
    would = realm("ledger", "summon", "400")
    assert would.code == 0 and would.out.startswith("would summon checkpoint-400-")
    assert "left behind: 850 steps, 1 levels won" in would.err and "--yes" in would.err
    assert realm("status", "--json").json["step"] == 1250
    said = realm("ledger", "summon", "400", "--yes", "--json").json
    assert (said["summoned"], said["step"], said["left_steps"]) == (True, 400, 850)
    status = realm("status", "--json").json
    assert status["step"] == 400 and status["skills"]["bin"]["mastered"] == 1
    refused = realm("ledger", "summon", "latest")
    assert refused.code == 3 and "already" in refused.err


def test_what_set_is_given_is_looked_at_before_an_engine_is_asked(realm: Realm, played: SaveFolder) -> None:
    for bad in (("--rate", "fast"), ("--level", "high"), ("--weight", "bin"), ("--replay", "much")):
        answer = realm("set", *bad)
        assert answer.code == 2 and bad[1] in answer.err
    assert realm("set", "--rate", "0.5").code == 3
    assert realm("park").code == 3


def test_the_story_as_lines(realm: Realm, played: SaveFolder, golden: Golden) -> None:
    golden("events.txt", realm("events").out)
    assert len(realm("events", "--limit", "3").out.splitlines()) == 3
    assert realm("events", "--since", "1h", "--json").lines[0]["time"] > NOW - 3600


def test_a_feed_gives_every_event_once(played: SaveFolder) -> None:
    with opened(played) as save:
        feed = EventFeed(save)
        first = feed.news()
        assert first and feed.news() == []
        clock.use(lambda: NOW + 7200)
        with closing(open_save(played, write=True)) as conn:
            run_id = facts.begin(conn, first_step=1250)
        assert [e.type for e in feed.news()] == ["training.started"]
        clock.use(lambda: NOW + 14_400)
        with closing(open_save(played, write=True)) as conn:
            runs.close_run(conn, run_id, 1300, "stopped")
        assert [e.type for e in feed.news()] == ["training.stopped"]
        assert feed.news() == []


def test_logs_are_shown_without_control_characters(realm: Realm, fresh: SaveFolder) -> None:
    (fresh.logs / "trainer.log").write_bytes(b"one\ntwo \x1b[31mred\x07\nhalf a li")
    (fresh.logs / "keeper.log").write_bytes(b"".join(b"line %d\n" % i for i in range(100)))
    assert realm("log", "--which", "trainer").out == "one\ntwo red\n"
    assert realm("log", "--which", "keeper", "-n", "2").out == "line 98\nline 99\n"
    assert realm("log", "-n", "1").out == "keeper   line 99\ntrainer  two red\n"
    assert realm("log", "--which", "trainer", "--json").lines[0] == {"log": "trainer", "line": "one"}
    assert realm("log", "--which", "nonsense").code == 2


def test_a_log_is_followed_over_a_new_file(fresh: SaveFolder) -> None:
    from realm_tui.runtime.logs import LogTail

    path = fresh.logs / "trainer.log"
    path.write_text("a\nb")
    tail = LogTail(path)
    assert tail.last(10) == ["a"]
    with path.open("a") as file:
        file.write("c\nd\n")
    assert tail.more() == ["bc", "d"]
    path.rename(path.with_suffix(".1"))
    path.write_text("new\n")
    assert tail.more() == ["new"]
    assert tail.more() == []


def test_doctor_finds_what_is_bad_and_says_so_by_its_exit_code(realm: Realm, fresh: SaveFolder) -> None:
    healthy = realm("doctor", "--json", TERM="xterm-256color", COLORTERM="truecolor", SSH_CONNECTION="a b", TMUX="x")
    assert healthy.code == 0
    said = {f["name"]: f for f in healthy.json["findings"]}
    assert {"realm", "python", "packages", "device", "disk", "config", "save", "engine", "terminal"} <= set(said)
    assert "torch 2" in said["packages"]["text"]
    for word in ("truecolor", "over SSH", "inside tmux"):
        assert word in said["terminal"]["text"]
    fresh.database.write_bytes(b"rubbish" * 1000)
    sick = realm("doctor", "--json")
    assert sick.code == 1
    assert [f["name"] for f in sick.json["findings"] if f["state"] == "bad"] == ["save"]


def test_doctor_sees_locks_and_a_broken_ring(realm: Realm, fresh: SaveFolder) -> None:
    lock = FileLock(fresh.trainer_lock)
    assert lock.acquire()
    try:
        fresh.ring.write_bytes(b"\0" * 1000)
        answer = realm("doctor")
    finally:
        lock.release()
    assert answer.code == 1
    assert "trainer is held by process" in answer.out
    assert "BAD   ring" in answer.out


def test_a_save_belongs_to_one_hero(fresh: SaveFolder) -> None:
    assert ensure_save(fresh) is False
    assert ensure_save(fresh, "pip") is False
    try:
        ensure_save(fresh, "dio")
    except RealmError as error:
        assert error.code == "OTHER_HERO"
        assert error.exit_code == 2
    else:
        raise AssertionError("a save was given to another hero")
