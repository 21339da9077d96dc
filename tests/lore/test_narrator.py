"""The adventure log: rows become events, events become sentences in two voices."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from configs.loader import load_game
from configs.paths import config_dir
from lore.deeds import of_happening
from lore.effects import effect_rules
from lore.events import Chapter, Event, events
from lore.fold import Happening
from lore.narrator import Tale, tell, tell_all, templates, variant
from lore.own_file import forget
from tests.lore import rows

EXAMS = load_game().exams

STORY = Chapter(
    runs=[
        rows.run(1, 0, 1500, "stopped", superseded_after=1200),
        rows.run(2, 1200, 1900, "oom", parent_run_id=1, parent_checkpoint_id=2),
        replace(rows.run(4, 1900, 1900, "crashed"), last_step=None),
        rows.run(3, 1900, 1950, "nothing more is learnt", parent_run_id=2, parent_checkpoint_id=3, exact=False),
    ],
    windows=[rows.window(s, s + 49) for s in range(1, 2050, 50)],
    quests=[rows.quest(1), rows.quest(2, "bad.jsonl"), rows.quest(3, "long.jsonl")],
    attempts=[
        rows.attempt(1, 1001, 1100, "completed", 1, loss_before=2.314, loss_after=1.902),
        rows.attempt(2, 1101, 1102, "failed", 2, reason="line 3 has no answer"),
        rows.attempt(3, 1103, 1150, "interrupted", 3),
        rows.attempt(4, 1201, 1300, "skipped", 3, continues_id=3),
        rows.attempt(5, 1301, 1400, "completed", 2),
    ],
    exams=[
        rows.exam(1, 300, 51),
        rows.exam(2, 400, 54),
        rows.exam(3, 410, 16, 16, kind="screen"),
        rows.exam(4, 420, 60, kind="asked"),
        rows.exam(5, 430, 45, kind="suite", plan="core_gate"),
    ],
    holds=[rows.hold(1, 900, 1, 15), rows.hold(2, 900, 2, 16), rows.hold(3, 900, 3, 50, 80, lost=True)],
    level_ups=[rows.level_up(1, 401, 1)],
    checkpoints=[rows.checkpoint(1, 401, "level_up"), rows.checkpoint(2, 1200)],
    champions=[replace(rows.champion(1, 1, 2, 1500), retired_at=rows.at(1600)), rows.champion(2, 2, None, 1600)],
    incidents=[
        rows.incident(1, 700, status="resolved", resolved_at=rows.at(800)),
        rows.incident(2, 1850, "medium", blocks=False),
    ],
    journal=[rows.command(1, 100, "pause"), rows.command(2, 101, "resume"), rows.command(3, 102, "set")],
    trials=[rows.trial(1, 500, 71), rows.trial(2, 550, 40)],
    drifts=[rows.drift(1, 560), rows.drift(2, 570, "critical", share=0.5), rows.drift(3, 580, "none")],
    sparring=[rows.sparring(1, 600, 5), rows.sparring(2, 610, 0)],
    notes=[rows.note(1, 620, "it rained"), replace(rows.note(2, 625, "archived"), kind="archive")],
    decisions=[
        rows.decision(1, 630, "strategy", "focus on bin"),
        rows.decision(2, 640, "maxed", "bin stands at level 3"),
        rows.decision(3, 650, "attempt", "L1 won"),
    ],
)
FOLDED = [
    Happening("hero.rank_up", 700, rows.at(700), "exams:2", {"skill": "bin", "rank": 2, "xp": 5000}),
    Happening("hero.effect_applied", 701, rows.at(701), "exams:3", {"effect": "confusion", "severity": "medium"}),
    Happening(
        "hero.effect_applied", 702, rows.at(702), "exams:3", {"effect": "insight", "severity": "low", "buff": True}
    ),
    Happening("hero.effect_expired", 703, rows.at(703), "exams:4", {"effect": "confusion"}),
    Happening("hero.effect_expired", 703, rows.at(703), "exams:5", {"effect": "insight", "buff": True}),
    Happening("system.incident_told", 703, rows.at(703), "quest_attempts:4", {"rule": "val_gap", "severity": "medium"}),
    Happening("system.incident_gone", 704, rows.at(704), "quest_attempts:5", {"rule": "val_gap", "severity": "medium"}),
    Happening("hero.achievement", 704, rows.at(704), "exams:4", {"achievement": "sharp_eye"}),
    Happening("hero.title_won", 705, rows.at(705), "level_ups:1", {"title": "Binary Novice"}),
    Happening("hero.title_lost", 706, rows.at(706), "holds:3", {"title": "Binary Novice"}),
    Happening("world.region", 707, rows.at(707), "level_ups:4", {"region": "logic_foothills"}),
    Happening("world.boss", 708, rows.at(708), "exams:9", {"boss": "foothills_guardian", "correct": 60, "items": 64}),
    Happening("world.talent", 709, rows.at(709), "trials:9", {"talent": "battle_planner"}),
]
PAGES = ("away.", "chronicle.", "journey.")
"""Templates of whole pages, told by tests of their own."""
TOLD = events(STORY, EXAMS)
TOLD = sorted([*TOLD, *(of_happening(h) for h in FOLDED)], key=lambda e: e.at)


def told(kind: str) -> list[Tale]:
    return [tell(e, "PIP") for e in TOLD if e.type == kind]


def test_every_template_is_used_by_the_story_and_every_event_has_one() -> None:
    used = {(e.type, variant(e)) for e in TOLD}
    assert used == {
        (kind, name) for kind, variants in templates().items() for name in variants if not kind.startswith(PAGES)
    }


@pytest.mark.parametrize("event", TOLD, ids=lambda e: e.key)
def test_an_event_is_told_in_both_voices(event: Event) -> None:
    tale = tell(event, "PIP")
    for voice in ("plain", "tavern"):
        text = tale.text(voice)
        assert "{" not in text and "None" not in text and 5 < len(text) < 80
    assert tale.plain != tale.tavern
    assert cell_len(tale.icon) == 1 and tale.ascii.isascii()


def test_events_come_in_order_and_each_once() -> None:
    assert [e.at for e in TOLD] == sorted(e.at for e in TOLD)
    assert len({e.key for e in TOLD}) == len(TOLD)


def test_the_same_rows_in_another_order_tell_the_same_story() -> None:
    turned = Chapter(**{name: list(getattr(STORY, name))[::-1] for name in Chapter.__slots__})
    assert events(turned, EXAMS) == events(STORY, EXAMS)


def test_since_cuts_what_was_seen() -> None:
    later = events(STORY, EXAMS, since=rows.at(1000))
    assert later == [e for e in events(STORY, EXAMS) if e.at > rows.at(1000)] and 0 < len(later) < len(TOLD)


def test_events_are_json() -> None:
    for event in TOLD:
        again = json.loads(json.dumps(event.as_dict(), allow_nan=False))
        assert again["type"] == event.type and again["time"] == event.at and again["step"] == event.step


def test_exams_are_never_rounded_up() -> None:
    first, second, asked, watched = told("exam.taken")
    assert first.plain == "Exam BIN L1: 51/64 = .79" and first.tone == "text"
    assert second.plain == "Exam BIN L1 passed: 54/64 = .84" and second.tone == "good"
    assert asked.tavern == "You test PIP on BIN L1: 60/64 = .93"
    assert watched.plain == "Looked at BIN L1 (core_gate): 45/64 = .70"


def test_screens_are_told_once_as_held_and_lost() -> None:
    assert [t.tavern for t in told("skill.held")] == ["PIP still holds BIN L1 .93, L2 1.0"]
    assert [t.plain for t in told("skill.lost")] == ["BIN lost: L3 .62"]


def test_many_held_levels_stay_one_short_line() -> None:
    holds = [rows.hold(i, 900, i, 14 if i == 7 else 16) for i in range(1, 13)]
    (event,) = events(Chapter(holds=holds), EXAMS)
    assert tell(event, "PIP").plain == "BIN held: L1–12, lowest L7 .87"


def test_a_quest_shows_its_loss_before_and_after() -> None:
    measured, unmeasured = told("quest.completed")
    assert measured.plain == "my_chats.jsonl done: held-out loss 2.31 to 1.90"
    assert unmeasured.plain == "bad.jsonl done"


def test_an_interrupted_quest_neither_fails_nor_ends() -> None:
    assert {e.type for e in TOLD if e.source == "quest_attempts:3"} == {"quest.started"}


def test_a_fall_says_why() -> None:
    assert sorted(t.plain for t in told("training.crashed")) == [
        "Run 2 ended unexpectedly at step 1,900: out of memory",
        "Run 4 ended before its first step: no reason was left behind",
    ]


@pytest.mark.parametrize(
    ("reason", "kind", "text"),
    [
        ("stopped", "training.stopped", "Run 1 stopped at step 90"),
        ("step reached", "training.stopped", "Run 1 ended at step 90: step reached"),
        ("crashed", "training.crashed", "Run 1 ended unexpectedly at step 90: no reason was left behind"),
        ("crashed: TypeError", "training.crashed", "Run 1 ended unexpectedly at step 90: TypeError"),
        ("killed", "training.crashed", "Run 1 ended unexpectedly at step 90: ended at once, by force"),
    ],
)
def test_an_end_is_a_fall_only_when_it_was_one(reason: str, kind: str, text: str) -> None:
    _, end = events(Chapter(runs=[rows.run(1, 0, 90, reason)]), EXAMS)
    assert (end.type, tell(end, "PIP").plain) == (kind, text)


def test_hero_levels_are_placed_between_the_steps() -> None:
    levels = [e for e in TOLD if e.type == "hero.level_up"]
    assert [(e.step, e.data["level"]) for e in levels] == [(1000, 1), (2000, 2)]
    assert [e.at for e in levels] == pytest.approx([rows.at(1000), rows.at(2000)], abs=1.1)


def test_merged_history_tells_the_same_hero_levels() -> None:
    fine = events(Chapter(windows=[rows.window(s, s + 49) for s in range(1, 3000, 50)]), EXAMS)
    coarse = events(Chapter(windows=[rows.window(s, s + 999) for s in range(1, 3000, 1000)]), EXAMS)
    assert [(e.key, e.data["level"]) for e in fine] == [(e.key, e.data["level"]) for e in coarse]


def test_an_open_incident_has_no_end() -> None:
    assert len(told("system.incident")) == 2 and len(told("system.resolved")) == 1
    assert told("system.incident")[0].tavern == "A Demon Lord bars the way: loss is not finite"


def test_a_level_up_comes_after_its_exam_and_its_screens() -> None:
    chapter = Chapter(
        exams=[rows.exam(1, 400, 54)], holds=[rows.hold(1, 400, 1, 16)], level_ups=[rows.level_up(1, 400, 2)]
    )
    kinds = [e.type for e in events(chapter, EXAMS)]
    assert kinds == ["exam.taken", "skill.held", "hero.skill_level_up"]


def test_names_with_braces_are_told_as_they_are() -> None:
    (event,) = events(Chapter(quests=[rows.quest(1, "{hero}.jsonl")]), EXAMS)
    assert tell_all([event], "PIP")[0].plain == "Queued: {hero}.jsonl (412 examples)"


def test_what_the_fold_finds_is_told_by_its_name() -> None:
    effects = effect_rules()
    assert [t.plain for t in told("hero.effect_applied")] == [
        f"{effects['confusion'].plain} (medium)",
        f"{effects['insight'].plain} in force",
    ]
    assert told("world.region")[0].tavern == "The way to Logic Foothills is open"
    assert told("world.boss")[0].plain == "Boss exam passed: L6 boss exam, 60/64 = .93"
    assert told("hero.rank_up")[0].plain == "BIN rank 2 at 5,000 discipline XP"


def test_what_no_rule_knows_any_more_is_told_by_its_id() -> None:
    nameless = Happening("hero.achievement", 1, rows.at(1), "exams:1", {"achievement": "long_road"})
    assert tell(of_happening(nameless), "PIP").plain == "Achievement: Long road"


def test_a_rule_of_the_players_own_is_told_by_its_own_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALM_HOME", str(tmp_path))
    monkeypatch.delenv("REALM_CONFIG_DIR", raising=False)
    config_dir().mkdir(parents=True)
    (config_dir() / "achievements.yaml").write_text(
        "achievements: {long_road: {label: A Long Road, plain: 7 steps, deed: walk, when: [{of: total, total: steps, at_least: 7}]}}"
    )
    forget()
    try:
        own = tell(of_happening(Happening("hero.achievement", 1, 0.0, "exams:1", {"achievement": "long_road"})), "PIP")
    finally:
        forget()
    assert (own.plain, own.tavern) == ("Achievement: 7 steps", "A deed that stays: A Long Road")


def test_a_drift_is_never_rounded_up() -> None:
    (event,) = events(Chapter(drifts=[rows.drift(1, 5, share=0.699, baseline=0.7999)]), EXAMS)
    assert tell(event, "PIP").plain == "Drift: BIN L2 at .69, best .79"
