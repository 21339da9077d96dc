"""What the settings, the battle log, the Garrison and the book of words draw, from real saves and real rules."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from configs import clock
from configs.loader import load_hero, player_game_file
from configs.paths import SaveFolder
from lore.events import Event
from lore.lexicon import chapters, entries
from lore.narrator import Tale
from lore.saga import ALERTS, CHANNELS, Alert, Channel, Line
from realm_tui.app.ascii import to_ascii
from realm_tui.app.drawing import Look, Row, fit
from realm_tui.app.widgets import bounty, deeds, garrison, glossary, log_page, realm_map, saga_page, settings
from realm_tui.app.widgets.listing import Item
from realm_tui.runtime.game import GameReader
from realm_tui.runtime.game_view import GameView, view_of
from realm_tui.runtime.garrison_view import GarrisonView, garrison_view
from realm_tui.runtime.log_view import LogView, Pages, SagaView, Story
from realm_tui.runtime.opened import opened
from realm_tui.runtime.own_rules import set_rule
from realm_tui.runtime.settings_view import (
    FIELDS,
    SECTIONS,
    Question,
    Section,
    SettingsView,
    calculate,
    settings_view,
    turned,
)
from realm_tui.runtime.world_view import map_view
from saves import ledger, runs
from saves.database import create_save, open_save
from saves.incidents import raise_incident
from tests.cli.story import NOW, write_story
from tests.face import samples

PLAIN, TAVERN = Look("plain"), Look()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SaveFolder]:
    """A short, eventful campaign."""
    monkeypatch.setenv("REALM_HOME", str(tmp_path))
    monkeypatch.delenv("REALM_CONFIG_DIR", raising=False)
    found = SaveFolder.named("main")
    clock.use(lambda: NOW)
    create_save(found, load_hero("pip"), seed=7)
    with closing(open_save(found, write=True)) as conn:
        write_story(conn, found)
    yield found
    clock.use()


def squeezed(rows: Sequence[Row]) -> str:
    """Words with one blank between them, wherever the lines end."""
    return " ".join(text(rows).split())


def text(rows: Sequence[Row]) -> str:
    return "\n".join("".join(part for part, _ in row).rstrip() for row in rows)


def lines(items: Sequence[Item], width: int = 78) -> str:
    return text([one.painted(width) for one in items])


def shown(folder: SaveFolder, section: Section, question: Question | None = None) -> SettingsView:
    with opened(folder) as save:
        return settings_view(save, section, question)


# ---------------------------------------------------------------- settings


def test_every_rule_stands_there_with_its_value_and_who_set_it(folder: SaveFolder) -> None:
    set_rule("exams.items", "96")
    view = shown(folder, "rules")
    drawn = lines(settings.rule_items(view.rules))
    assert len(view.rules) == len(drawn.splitlines()) > 80
    assert any("items" in line and "96 yours" in line for line in drawn.splitlines())
    assert drawn.count("yours") == 1 and "campaign  " not in drawn.split("campaign")[0]
    found = settings.found_rules(view.rules, "exams.items")
    sheet = squeezed(settings.rule_sheet(found[0], 200))
    assert "shipped 64" in sheet and "take back" in sheet and str(player_game_file()) in sheet


def test_a_rule_is_found_by_what_it_means(folder: SaveFolder) -> None:
    view = shown(folder, "rules")
    assert "engine.pause_on_battery" in {r.key for r in settings.found_rules(view.rules, "battery")}
    assert settings.found_rules(view.rules, "no such thing anywhere") == ()


def test_a_broken_file_is_named_with_its_line_and_nothing_is_lost(folder: SaveFolder) -> None:
    mine = player_game_file()
    with opened(folder) as save:
        mine.parent.mkdir(parents=True)
        mine.write_text("exams:\n  items: many\n")
        view = settings_view(save, "rules")
    assert not view.rules and "line 2" in view.rules_trouble and "exams.items" in view.rules_trouble
    assert "line 2" in text(settings.trouble_rows(view.rules_trouble, 60)).replace("\n ", " ")
    assert mine.read_text() == "exams:\n  items: many\n"


def test_the_calculator_draws_every_part_and_whether_it_fits(folder: SaveFolder) -> None:
    view = shown(folder, "memory", Question("dio-qwen3-0.6b", card="4090"))
    assert view.calculation is not None and view.calculation.report is not None
    sheet = text(settings.memory_sheet(view.calculation, PLAIN, 70))
    assert "held all the time" in sheet and "worst case" in sheet and "GiB of 24.0 GiB ± 20 %" in sheet
    for part in view.calculation.report.plan.estimate.parts:
        assert part.name[:18] in sheet
    fields = lines(settings.field_items(view.calculation), 40)
    assert "dio-qwen3-0.6b" in fields and "4090" in fields


def test_every_field_of_the_calculator_turns_around_and_back() -> None:
    for field in FIELDS:
        question = Question("dio-qwen3-0.6b", card="4090")
        there = turned(question, field, 1, samples.RULES.memory)
        assert there != question and turned(there, field, -1, samples.RULES.memory) == question
        seen = {question}
        while (question := turned(question, field, 1, samples.RULES.memory)) not in seen:
            seen.add(question)
        assert len(seen) > 2


def test_a_memory_profile_decides_method_and_optimizer() -> None:
    question = replace(Question("dio-qwen3-0.6b", card="4090", method="full"), profile="24gb_lora", method=None)
    found = calculate(question, samples.RULES.memory)
    assert found.report is not None and found.report.hero.training.method == "lora"
    assert "takes 24gb_lora" in squeezed(settings.memory_sheet(found, PLAIN, 70))
    assert turned(question, "method", 1, samples.RULES.memory).profile is None


def test_a_question_without_an_answer_says_why() -> None:
    found = calculate(Question("dio-qwen3-0.6b", card="9999x"), samples.RULES.memory)
    assert found.report is None and "no card is called" in text(settings.memory_sheet(found, PLAIN, 70))


def test_a_reset_is_counted_before_anything_is_asked(folder: SaveFolder) -> None:
    view = shown(folder, "danger")
    assert [r.depth for r in view.resets] == ["campaign", "hero", "full", "deep"]
    listed = lines(settings.reset_items(view.resets))
    assert listed.count("3 forms, 7.2 MB") == 4
    first, full = (squeezed(settings.reset_sheet(view.resets[i], "main", 70)) for i in (0, 2))
    assert "quests 0" in first and "the board" in first
    assert "quests 2" in full and "the board" not in full and "(main)" in full


# ---------------------------------------------------------------- log


def line(step: int, kind: str, channel: Channel, alert: Alert, plain: str) -> Line:
    return Line(
        Event(kind, NOW - step, f"exams:{step}", 1, step, {"title": "\x1b[31mred", "items": 64}),
        Tale(NOW - step, plain, f"tavern: {plain}", "text", "·", "."),
        channel,
        alert,
        True,
    )


LOG = LogView(
    (
        line(3, "exam.taken", "eval", "notice", "Exam passed"),
        line(2, "system.incident", "system", "crisis", "loss not finite"),
        line(1, "training.started", "training", "whisper", "Run 1 started"),
    ),
    older=True,
)


def test_one_channel_one_level_or_one_word_can_be_listened_to() -> None:
    assert [x.channel for x in log_page.chosen_lines(LOG, "", "")] == ["eval", "system", "training"]
    assert [x.channel for x in log_page.chosen_lines(LOG, "eval", "")] == ["eval"]
    assert [x.channel for x in log_page.chosen_lines(LOG, "", "", "warning")] == ["system"]
    assert [x.channel for x in log_page.chosen_lines(LOG, "", "EXAM")] == ["eval"]
    told = log_page.choice_text("eval", "warning", "exam", LOG, PLAIN)
    assert "eval" in told and "exam" in told and "newest 3" in told


def test_an_event_shows_its_proof_and_foreign_text_cannot_paint() -> None:
    sheet = text(log_page.log_sheet(LOG.lines[0], PLAIN, 60))
    assert "exams:3, run 1" in sheet and "exam.taken" in sheet and "red" in sheet and "\x1b" not in sheet
    drawn = lines(log_page.log_items(LOG.lines, PLAIN))
    assert "loss not finite" in drawn and "crisis" not in drawn


def test_the_log_tells_the_whole_story_newest_first(folder: SaveFolder) -> None:
    with opened(folder) as save:
        view = LogView(*Story(everything=True).read(save, GameReader()))
        told = LogView(*Story(everything=False).read(save, GameReader()))
    kinds = {one.event.type for one in view.lines}
    assert {"training.started", "hero.skill_level_up", "quest.completed", "champion.crowned", "skill.lost"} <= kinds
    assert [one.event.at for one in view.lines] == sorted((one.event.at for one in view.lines), reverse=True)
    assert not view.older and {one.key for one in told.lines} < {one.key for one in view.lines}


def test_reading_on_gives_the_same_story_as_reading_anew(folder: SaveFolder) -> None:
    going_on = Story(everything=True)
    with opened(folder) as save:
        before, _ = going_on.read(save, GameReader())
        with closing(open_save(folder, write=True)) as conn:
            raise_incident(conn, "gremlin", category="data", severity="low", title="a new one", fix="wait")
            conn.execute("UPDATE incidents SET status = 'resolved', resolved_at = ? WHERE id = 1", (NOW,))
            conn.commit()
        after, _ = going_on.read(save, GameReader())
        assert after == Story(everything=True).read(save, GameReader())[0]
    assert len(after) == len(before) + 2 and {one.event.type for one in after[:2]} == {
        "system.incident",
        "system.resolved",
    }


def test_going_back_to_an_older_form_tells_the_story_anew(folder: SaveFolder) -> None:
    story = Story(everything=True)
    with opened(folder) as save:
        before, _ = story.read(save, GameReader())
        with closing(open_save(folder, write=True)) as conn:
            form = next(c for c in ledger.kept_checkpoints(conn) if c.step == 900)
            runs.go_back(conn, form, pid=1)
        after, _ = story.read(save, GameReader())
        assert after == Story(everything=True).read(save, GameReader())[0]
    told = {one.key for one in after}
    assert any(one.event.type == "exam.taken" and one.key not in told for one in before)


def test_the_story_has_a_page_for_each_day_and_one_for_the_whole_way(folder: SaveFolder) -> None:
    with opened(folder) as save:
        days, whole = Pages().read(save, GameReader(), "chronicle"), Pages().read(save, GameReader(), "journey")
    assert [day.day for day in days.days] == ["2025-11-24"]
    assert "2025-11-24" in text(saga_page.chronicle_sheet(days, PLAIN, 70))
    assert "1,250" in text(saga_page.journey_sheet(whole, None, PLAIN, 70))


def test_every_channel_and_level_has_its_word() -> None:
    known = entries()
    assert {f"log.channel.{c}" for c in CHANNELS} <= known.keys()
    assert {f"alert.{a}" for a in ALERTS} <= known.keys()


def test_an_empty_log_says_how_it_fills() -> None:
    assert "start the hero" in text(log_page.empty_log(LogView()))
    assert "shows everything" in text(log_page.empty_log(LOG))


# ---------------------------------------------------------------- garrison


def looked(folder: SaveFolder) -> GarrisonView:
    with opened(folder) as save:
        return garrison_view(save)


def test_the_garrison_weighs_every_room_and_names_who_holds_the_save(folder: SaveFolder) -> None:
    (folder.checkpoints / "a").mkdir()
    (folder.checkpoints / "a" / "model.safetensors").write_bytes(b"x" * 5_000_000)
    view = looked(folder)
    rooms = {r.name: r for r in view.rooms}
    assert rooms["checkpoints"].bytes == 5_000_000 and rooms["checkpoints"].files == 1
    assert rooms["realm.db"].bytes >= folder.database.stat().st_size and view.rooms[0].name == "checkpoints"
    assert {s.name: s.pid for s in view.sentries} == {"trainer": None, "keeper": None, "face": None}
    drawn = text(garrison.disk_rows(view, PLAIN, 76, 14))
    assert "checkpoints" in drawn and "5.0 MB" in drawn
    assert text(garrison.sentry_rows(view, PLAIN, 76)).count("nobody") == 3


def test_a_process_that_holds_the_save_is_seen(folder: SaveFolder) -> None:
    code = (
        "import sys; from pathlib import Path; from saves.locks import FileLock\n"
        "lock = FileLock(Path(sys.argv[1])); assert lock.acquire(); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder.keeper_lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == b"held\n"
        keeper = next(s for s in looked(folder).sentries if s.name == "keeper")
        process.stdin.close()
    assert keeper.pid == process.pid and keeper.bytes is not None and keeper.bytes > 1_000_000


def test_what_is_wrong_decides_the_state(folder: SaveFolder) -> None:
    view = looked(folder)
    assert view.host.state == "critical", "the story ends with a critical incident"
    drawn = text(garrison.incident_rows(view, PLAIN, 100, 6))
    assert "1 critical" in drawn and "loss not finite" in drawn and "→ look at" in drawn
    quiet = replace(view, incidents=(), host=replace(view.host, state="offline"))
    assert "no incident" in text(garrison.incident_rows(quiet, PLAIN, 60, 6))
    assert "offline" in text(garrison.host_rows(quiet, PLAIN, 60))


def test_a_disk_that_fills_is_told_by_the_rules(folder: SaveFolder) -> None:
    set_rule("garrison.disk_warn_share", "0.0001")
    set_rule("garrison.disk_critical_share", "0.0001")
    assert looked(folder).disk.state == "critical"


def test_a_low_incident_only_wants_a_look(folder: SaveFolder) -> None:
    with closing(open_save(folder, write=True)) as conn:
        conn.execute("DELETE FROM incidents")
        raise_incident(conn, "step_skipped", category="data", severity="low", title="a step was skipped", fix="nothing")
        conn.commit()
    assert looked(folder).host.state in ("warning", "critical")


# ---------------------------------------------------------------- words


def test_the_book_holds_every_word_and_finds_them() -> None:
    every = glossary.found_words(chapters(), "")
    assert len(every) == len(entries())
    assert "strain.effort" in {key for key, _, _ in glossary.found_words(chapters(), "effort")}
    key, one, chapter = next(word for word in every if word[0] == "incident.critical")
    sheet = text(glossary.word_sheet((key, one, chapter), TAVERN, 60))
    assert "Demon Lord" in sheet and "critical" in sheet and "at risk" in sheet


# ---------------------------------------------------------------- bounties, deeds, map


def played(folder: SaveFolder) -> GameView:
    with opened(folder) as save:
        return view_of(save)


def test_a_monster_stands_with_its_lair_its_evidence_and_what_helps(folder: SaveFolder) -> None:
    cards = played(folder).bounties()
    listed = lines(bounty.card_items(cards, TAVERN))
    assert "NaN Dragon" in listed and "loss not finite" in listed
    sheet = squeezed(bounty.card_sheet(cards[0], TAVERN, 70))
    assert "Gradient Caverns" in sheet and "what helps 1. look at the named items" in sheet and "step 1,205" in sheet
    assert "NaN Dragon" not in squeezed(bounty.card_sheet(cards[0], PLAIN, 70))


def test_an_effect_stands_with_its_cause_and_its_cure(folder: SaveFolder) -> None:
    view = played(folder)
    effects = view.effects()
    listed = lines(bounty.effect_items(effects, view.game.step, PLAIN))
    assert len(listed.splitlines()) == len(effects) > 0
    for one in effects:
        sheet = squeezed(bounty.effect_sheet(one, view.game.step, TAVERN, 200))
        assert one.rule.cause in sheet and one.rule.cure in sheet


def test_deeds_are_all_earned_or_open(folder: SaveFolder) -> None:
    every = played(folder).achievements()
    earned, ahead = (deeds.chosen_deeds(every, which, "") for which in ("earned", "open"))
    assert {d.id for d in earned} >= {"first_steps", "century", "first_save"} and len(earned) + len(ahead) == len(every)
    listed = lines(deeds.deed_items(every, TAVERN))
    assert "First Steps" in listed and "Ultramarathon" in listed
    marathon = next(d for d in every if d.id == "marathon")
    assert "1,250 of 10,000" in squeezed(deeds.deed_sheet(marathon, TAVERN, 60))
    first = next(d for d in every if d.id == "first_steps")
    assert "earned step 1" in squeezed(deeds.deed_sheet(first, TAVERN, 60))
    assert [d.id for d in deeds.chosen_deeds(every, "all", "ultra")] == ["ultramarathon"]


# ---------------------------------------------------------------- all of them


@pytest.mark.parametrize("width", [36, 60, 78, 118])
@pytest.mark.parametrize("look", [TAVERN, PLAIN, Look(ascii=True)], ids=["tavern", "plain", "ascii"])
def test_nothing_is_wider_than_its_panel_and_ascii_stays_ascii(folder: SaveFolder, width: int, look: Look) -> None:
    rules, memory, danger = (shown(folder, section) for section in SECTIONS)
    view = looked(folder)
    words = glossary.found_words(chapters(), "hero")
    game = played(folder)
    with opened(folder) as save:
        realm, story = map_view(save, game.game), SagaView(*Story(everything=False).read(save, GameReader()))
    painted: list[Callable[[int], Sequence[Row]]] = [
        lambda w: [one.painted(w) for one in settings.rule_items(rules.rules)],
        lambda w: settings.rule_sheet(rules.rules[0], w),
        lambda w: settings.memory_sheet(memory.calculation, look, w),
        lambda w: settings.reset_sheet(danger.resets[3], "main", w),
        lambda w: log_page.log_sheet(LOG.lines[0], look, w),
        lambda w: garrison.host_rows(view, look, w),
        lambda w: garrison.disk_rows(view, look, w, 12),
        lambda w: [one.painted(w) for one in glossary.word_items(words, look)],
        lambda w: glossary.word_sheet(words[0], look, w),
        lambda w: [one.painted(w) for one in bounty.card_items(game.bounties(), look)],
        lambda w: bounty.card_sheet(game.bounties()[0], look, w),
        lambda w: [one.painted(w) for one in bounty.effect_items(game.effects(), game.game.step, look)],
        lambda w: [one.painted(w) for one in deeds.deed_items(game.achievements(), look)],
        lambda w: deeds.deed_sheet(game.achievements()[0], look, w),
        lambda w: [one.painted(w) for one in realm_map.region_items(realm, "PIP", look)],
        lambda w: realm_map.region_sheet(realm, "summit", look, w),
        lambda w: [one.painted(w) for one in saga_page.saga_items(story.lines, look)],
        lambda w: saga_page.day_sheet(story, story.lines[0], look, w),
    ]
    for paint in painted:
        for row in paint(width):
            fitted = "".join(part for part, _ in fit(row, width))
            assert len(fitted) == width and fitted.isprintable()
            if look.ascii:
                assert to_ascii(fitted).isascii()
