"""`realm oracle` and `realm promote --inn`: what they print, for people and for machines, and how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from configs.errors import BlockedError
from configs.paths import SaveFolder
from realm_tui.cli.main import app
from saves import ledger
from tests.cli.conftest import Answer
from tests.oracle.places import Village
from tests.oracle.test_screen import with_places

Realm = Callable[..., Answer]


@pytest.fixture
def command(told: SaveFolder, village: Village, monkeypatch: pytest.MonkeyPatch) -> Realm:
    """Run a command in a realm with these places; ``typed`` is its standard input."""
    from realm_tui.runtime.inn import reach

    monkeypatch.setattr(reach, "InnReach", lambda folder: village)
    with_places(told)

    def call(*args: str, typed: str = "") -> Answer:
        result = CliRunner().invoke(app, list(args), input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    return call


def test_ask_prints_the_answer_and_who_gave_it(command: Realm, village: Village) -> None:
    said = command("oracle", "ask", "who are you?", "--form", "400")
    assert said.code == 0 and said.out.strip().endswith("heard: who are you?")
    assert "step 400 · arena" in said.err and "proved" in said.err and village.closed
    found = command("oracle", "ask", "-", "--at", "hub", "--temperature", "0.5", "--seed", "3", "--json", typed="hm?")
    assert found.json["question"] == "hm?" and found.json["place"] == "inn" and found.json["strict"]
    assert found.json["sampling"]["temperature"] == 0.5 and found.json["sampling"]["seed"] == 3
    assert found.json["form"].startswith("checkpoint-900")


def test_an_answer_cannot_move_the_terminal(command: Realm, village: Village) -> None:
    village.servers["arena"].says = lambda name, words: "a\x1b[2Jb\x07 ‮c\nline"
    said = command("oracle", "ask", "x")
    assert "\x1b" not in said.out and "\x07" not in said.out and "‮" not in said.out and "\nline" in said.out


def test_chat_goes_on_line_by_line_until_an_empty_one(command: Realm) -> None:
    said = command("oracle", "chat", "--remember", typed="one\ntwo\n\nthree\n")
    assert said.out.count("heard:") == 2 and "three" not in said.out
    talk = said.err.split(":")[0]
    more = command("oracle", "chat", "--remember", "--talk", talk, "--json", typed="three\n")
    (turn,) = more.lines
    assert [m["role"] for m in turn["messages"]] == ["user", "assistant"] * 2 + ["user"]
    told = command("oracle", "history", "--talk", talk, "--json").json
    assert [t["question"] for t in told] == ["one", "two", "three"]


def test_compare_tells_both_and_whether_they_agree(command: Realm, village: Village) -> None:
    said = command("oracle", "compare", "who?", "--form", "400", "--against", "900")
    assert said.out.index("--- 400") < said.out.index("--- 900") and "same answer" not in said.err
    village.servers["arena"].says = lambda name, words: "yes"
    found = command("oracle", "compare", "who?", "--form", "400", "--against", "900", "--json").json
    assert found["same"] is True and [side["step"] for side in found["sides"]] == [400, 900]
    village.refuses["arena"] = BlockedError("the road is blocked", code="HOST_UNREACHABLE")
    failed = command("oracle", "compare", "who?", "--form", "400", "--against", "900", "--json")
    assert failed.code == 3 and json.loads(failed.err.splitlines()[-1])["error"]["code"] == "HOST_UNREACHABLE"


def test_history_is_searched_and_exported(command: Realm, target: Path) -> None:
    assert "nothing was asked yet" in command("oracle", "history").err
    nothing = command("oracle", "history", "--export", str(target / "x.md"))
    assert nothing.code == 2 and "ask something first" in nothing.err
    command("oracle", "ask", "about `code`\n```\nfence", "--form", "400")
    command("oracle", "ask", "second", "--form", "900")
    assert [t["question"] for t in command("oracle", "history", "code", "--json").json] == ["about `code`\n```\nfence"]
    assert "second" in command("oracle", "history").out
    made = command("oracle", "history", "--export", str(target / "talks.md"), "--json").json
    text = Path(made["path"]).read_text()
    assert made["turns"] == 2 and "````" in text and "> second" in text
    assert command("oracle", "history", "--export", str(target / "talks.md")).code == 2
    assert command("oracle", "history", "--export", str(target / "talks.txt")).code == 2
    command("oracle", "history", "--export", str(target / "talks.json"))
    assert len(json.loads((target / "talks.json").read_text())) == 2


def test_promote_to_the_inn_and_back(command: Realm, told: SaveFolder, village: Village) -> None:
    done = command("promote", "400", "--inn", "hub")
    assert done.out.splitlines()[0].startswith("at work: checkpoint-400") and "canary" in done.err
    again = command("promote", "900", "--inn", "inn", "--json").json
    assert again["before"].startswith("checkpoint-400") and set(again["seconds"]) == {"gate", "sync", "swap", "canary"}
    back = command("promote", "--undo", "--inn", "inn", "--json").json
    assert back["name"].startswith("checkpoint-400") and back["champion"].startswith("checkpoint-400")
    refused = command("promote", "1250", "--inn", "inn", "--json")
    assert refused.code == 3 and json.loads(refused.err.splitlines()[-1])["error"]["code"] == "NOT_EXAMINED"
    assert village.servers["inn"].holds
    crowned = command("promote", "900")
    assert "--inn inn` brings this one there" in crowned.err and "champion: checkpoint-900" in crowned.out
    command("promote", "--undo")
    from realm_tui.runtime.opened import opened

    with opened(told) as save:
        assert ledger.find(save.conn, "champion").step == 400


@pytest.mark.parametrize(
    ("args", "code", "named"),
    [
        (("ask", "x", "--form", "777"), 2, "UNKNOWN_CHECKPOINT"),
        (("ask", "x", "--at", "nowhere"), 2, "UNKNOWN_FACILITY"),
        (("ask", "x", "--form", "base"), 2, "NO_BASE"),
        (("ask", "   "), 2, "BAD_ARGUMENT"),
        (("compare", "x", "--against", "777"), 2, "UNKNOWN_CHECKPOINT"),
    ],
)
def test_what_cannot_be_done_says_why(command: Realm, args: tuple[str, ...], code: int, named: str) -> None:
    failed = command("oracle", *args, "--json")
    assert failed.code == code and json.loads(failed.err.splitlines()[-1])["error"]["code"] == named
