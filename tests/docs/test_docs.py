"""The papers tell the truth: commands parse, links lead somewhere, codes, fields, rules and words exist."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from configs.loader import load_game
from engine.link.ending import Crash
from engine.link.protocol import Verb
from engine.link.state import EngineState
from lore.lexicon import entries
from realm_tui.app.actions import ACTIONS
from realm_tui.cli.main import COMMANDS, app
from realm_tui.runtime import status
from tests.docs.papers import (
    PAPERS,
    ROOT,
    WRITTEN,
    CommandLine,
    anchors,
    blocks,
    commands,
    first_cells,
    links,
    spans,
    table_rows,
    text_of,
)

PACKAGES = ("configs", "skills", "saves", "lore", "engine", "realm_tui")
HELP = "docs/TROUBLESHOOTING.md"
MAP = "docs/ARCHITECTURE.md"
CODE = re.compile(r"[A-Z][A-Z_]+")
ROOT_OPTIONS = ("--version", "--help", "--install-completion")
USAGE: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError")
"""What the command line raises for words it cannot take."""
TYPED = [command for paper in WRITTEN for command in commands(paper)]


# ---------------------------------------------------------------- commands


def parsed(command: CommandLine) -> None:
    """Parse a command as typing it would, without running it."""
    words = list(command.words)
    group: Any = typer.main.get_command(app)
    context = group.make_context("realm", [words[0]])
    found = group.get_command(context, words.pop(0))
    assert found is not None, f"{command}: there is no such command"
    while getattr(found, "commands", None) and words and not words[0].startswith("-"):
        found = found.get_command(context, words.pop(0))
        assert found is not None, f"{command}: there is no such command"
    if getattr(found, "commands", None) and not found.invoke_without_command:
        assert not command.whole and not words, f"{command}: what of it?"
        return
    known = {name for option in found.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
    wrong = [word for word in words if word.startswith("-") and word not in known]
    assert not wrong, f"{command}: unknown {wrong}"
    if command.whole:
        found.make_context("realm", words, parent=context)


@pytest.mark.parametrize("command", sorted(set(TYPED), key=str), ids=str)
def test_every_command_in_the_papers_is_one(command: CommandLine) -> None:
    if command.words[0] in ROOT_OPTIONS:
        return
    try:
        parsed(command)
    except USAGE as error:
        pytest.fail(f"{command}: {error}")


def test_the_papers_show_most_commands() -> None:
    assert set(COMMANDS) - {c.words[0] for c in TYPED} <= {"checkpoint", "pause", "watch"}


def test_make_targets_in_the_papers_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    lines = [line for paper in PAPERS for body in blocks(paper, "sh") for line in body.splitlines()]
    lines += [span for paper in PAPERS for span in spans(paper)]
    named = {found[1] for line in lines if (found := re.match(r"make ([a-z-]+)", line))}
    assert {"play", "test"} <= named <= targets


def test_the_readme_opens_with_play_and_test() -> None:
    first = blocks("README.md", "sh")[0]
    assert [line.split("#")[0].strip() for line in first.splitlines()] == ["make play", "make test"]
    assert text_of("README.md").split("\n\n")[1].startswith("```sh")


# ---------------------------------------------------------------- links


@pytest.mark.parametrize("paper", PAPERS)
def test_every_link_leads_somewhere(paper: str) -> None:
    for link in links(paper):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / paper).parent / name if name else ROOT / paper
        assert target.exists(), f"{paper} links to {link}"
        if anchor:
            assert anchor in anchors(str(target.resolve().relative_to(ROOT))), f"{paper} links to {link}"


@pytest.mark.parametrize("paper", WRITTEN)
def test_files_and_modules_named_in_the_papers_exist(paper: str) -> None:
    rules = _rules()
    for span in spans(paper):
        if re.fullmatch(rf"(?:{'|'.join(PACKAGES)}|tests|docs|benchmarks)/[\w./-]*", span):
            assert "<" in span or (ROOT / span).exists(), f"{paper} names {span}"
        elif re.fullmatch(rf"(?:{'|'.join(PACKAGES)})(?:\.[A-Za-z_]+)+", span):
            assert span in rules or _module_or_name(span), f"{paper} names {span}"


def _module_or_name(dotted: str) -> bool:
    """Whether ``a.b.c`` is a module, or a name that stands in the module ``a.b``."""
    parent, _, name = dotted.rpartition(".")
    try:
        if importlib.util.find_spec(dotted) is not None:
            return True
    except ModuleNotFoundError:
        pass
    try:
        found = importlib.util.find_spec(parent) if parent else None
    except ModuleNotFoundError:
        return parent.count(".") > 0 and _module_or_name(parent)
    if found is None or found.origin is None:
        return False
    text = Path(found.origin).read_text(encoding="utf-8")
    return re.search(rf"^(?:def |class |async def )?{name}\b", text, re.MULTILINE) is not None


@cache
def _rules() -> set[str]:
    data = load_game().model_dump()
    return {f"{group}.{name}" for group, values in data.items() if isinstance(values, dict) for name in values}


def test_rules_named_in_the_papers_exist() -> None:
    groups = {rule.split(".")[0] for rule in _rules()} - {"engine"}
    for paper in WRITTEN:
        for span in spans(paper):
            if re.fullmatch(rf"(?:{'|'.join(groups)})\.[a-z_]+(?:: \w+)?", span):
                assert span.split(":")[0] in _rules(), f"{paper} names the rule {span}"


# ---------------------------------------------------------------- codes


BLOCKERS = ("Blocker", "Hindrance")
INCIDENTS = ("raise_incident", "_write")


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


@cache
def _calls() -> tuple[ast.Call, ...]:
    """Every call of the source that can name an error code, a blocker or an incident."""
    return tuple(
        node
        for package in PACKAGES
        for file in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and (_name(node) in (*BLOCKERS, *INCIDENTS) or any(k.arg == "code" for k in node.keywords))
    )


def _strings(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


@cache
def raised_codes() -> set[str]:
    """Every code an error may carry, read off the source: constants, and names that are turned into capitals."""
    codes = {text for call in _calls() for k in call.keywords if k.arg == "code" for text in _strings(k.value)}
    return {c for c in codes if CODE.fullmatch(c)} | {"VERSION_MISMATCH", "LEVEL_MISMATCH"}


def test_every_error_code_has_its_way_out_and_every_one_listed_exists() -> None:
    listed = {name for name in first_cells(HELP, "## Error codes") if CODE.fullmatch(name)}
    assert raised_codes() - listed == set(), "raised, but not in TROUBLESHOOTING"
    assert listed - raised_codes() == set(), "in TROUBLESHOOTING, but never raised"


def test_skills_disagreeing_with_their_yaml_still_have_these_codes() -> None:
    text = (ROOT / "skills/registry.py").read_text(encoding="utf-8")
    assert '"version_mismatch"' in text and '"level_mismatch"' in text and "code=fact.upper()" in text


def test_every_blocker_is_explained() -> None:
    named = [call.args[0] for call in _calls() if isinstance(call.func, ast.Name) and call.func.id in BLOCKERS]
    codes = {code for argument in named for code in _strings(argument)}
    assert codes and codes == first_cells(HELP, "## Blockers")


def test_every_incident_is_explained() -> None:
    rules = {f"{crash}_crash" for crash in Crash if crash is not Crash.STOPPED}
    for call in _calls():
        name = _name(call)
        if name == "raise_incident" and len(call.args) > 1:
            rules |= set(_strings(call.args[1]))
        for keyword in call.keywords:
            if name == "_write" and keyword.arg == "rule" and isinstance(keyword.value, ast.Constant):
                rules.add(str(keyword.value.value))
    assert rules == first_cells(HELP, "## Incidents")


# ---------------------------------------------------------------- contracts


def test_the_status_contract_is_described_field_by_field() -> None:
    described = first_cells(MAP, "## The machine contract: `realm status --json`")
    fields = {field.name for field in dataclasses.fields(status.Status)} | {"contract"}
    assert fields <= described and described - fields == set()
    inner = {
        "hero": status.HeroStatus,
        "skills": status.SkillStatus,
        "queue": status.QueueStatus,
        "quest": status.QuestStatus,
        "champion": status.ChampionStatus,
        "blockers": status.Blocker,
    }
    meanings = {cells[0].strip("`"): cells[1] for cells in table_rows(MAP) if len(cells) == 2}
    for name, kind in inner.items():
        told = set(re.findall(r"`([^`]+)`", meanings[name]))
        assert {field.name for field in dataclasses.fields(kind)} <= told, name
    assert set(re.findall(r"`([^`]+)`", meanings["state"])) == {str(state) for state in EngineState}


def test_every_event_type_is_listed() -> None:
    kinds = re.compile(r"(?:training|hero|skill|exam|quest|checkpoint|champion|system)\.[a-z_]+")
    source = ast.parse((ROOT / "lore/events.py").read_text(encoding="utf-8"))
    made = {text for text in _strings(source) if kinds.fullmatch(text)}
    listed = {span for span in spans(MAP) if kinds.fullmatch(span)}
    assert made and made <= listed


def test_every_verb_of_the_socket_is_listed() -> None:
    assert {str(verb) for verb in Verb} == first_cells(MAP, "## The command socket")


# ---------------------------------------------------------------- the README's screen


def test_the_words_of_the_screen_are_the_lexicons() -> None:
    twins = {(entry.named("plain").lower(), entry.named("tavern").lower()) for entry in entries().values()}
    cells = [cell for row in table_rows("README.md") if len(row) == 3 for cell in row[:2] if " · " in cell]
    cells.remove("Plain · tavern")
    assert len(cells) > 20
    for cell in cells:
        for pair in cell.split(", "):
            plain, _, tavern = pair.partition(" · ")
            assert (plain.lower(), tavern.lower()) in twins, cell


def test_every_panel_is_explained() -> None:
    panels = {
        f"{entry.named('plain')} · {entry.named('tavern')}"
        for key, entry in entries().items()
        if key.startswith("panel.")
    }
    assert panels <= {row[0] for row in table_rows("README.md")}


def test_the_keys_are_the_registrys() -> None:
    _, _, rest = text_of("README.md").partition("\n## Keys\n")
    told = set(re.findall(r"`([^`]+)`", rest.partition("\n## ")[0]))
    assert {action.key_label for action in ACTIONS} <= told


# ---------------------------------------------------------------- what no paper says


@pytest.mark.parametrize("paper", PAPERS)
def test_no_paper_names_a_machine_or_a_host(paper: str) -> None:
    text = text_of(paper)
    assert not re.search(r"https?://|/home/|/root/|/Users/|pypi\.|download\.", text), paper
