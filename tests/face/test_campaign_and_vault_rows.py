"""What the Campaign, Vault, Champion gate and Heroes screens say, as rows, on a save with a story in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from configs import clock
from configs.loader import load_hero
from configs.paths import SaveFolder
from realm_tui.app.drawing import Look, Row, fit, width_of
from realm_tui.app.widgets import campaign as campaign_rows
from realm_tui.app.widgets import gate, ledger, roster
from realm_tui.app.widgets.listing import Item
from realm_tui.runtime.campaign_view import CampaignReader, CampaignView
from realm_tui.runtime.campaigns import archive, begin, remember, switch
from realm_tui.runtime.gate_view import gate_view
from realm_tui.runtime.heroes_view import RosterReader
from realm_tui.runtime.ledger_view import Choice, LedgerView, deletion, ledger_view
from realm_tui.runtime.opened import opened
from realm_tui.runtime.resting import Resting
from saves.database import create_save, open_save
from tests.cli.story import NOW, write_story
from tests.cli.test_ledger_and_gate import meet

PLAIN = Look(names="plain")


def text(rows: Sequence[Row]) -> str:
    return "\n".join("".join(part for part, _ in row).rstrip() for row in rows)


def lines(items: Sequence[Item], width: int = 76) -> str:
    return text([one.painted(width) for one in items])


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SaveFolder]:
    monkeypatch.setenv("REALM_HOME", str(tmp_path / "realm"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("REALM_SAVE", raising=False)
    clock.use(lambda: NOW)
    folder = SaveFolder.named("main")
    create_save(folder, load_hero("pip"), seed=7)
    with closing(open_save(folder, write=True)) as conn:
        write_story(conn, folder)
    clock.use(lambda: NOW)
    yield folder
    clock.use()


def view_of(folder: SaveFolder, chosen: str | None = None) -> CampaignView:
    with opened(folder) as save:
        return CampaignReader().read(save, chosen)


# ---------------------------------------------------------------- campaigns


def test_a_campaign_tells_what_next_its_best_and_what_it_cost(played: SaveFolder) -> None:
    told = " ".join(text(campaign_rows.way_rows(view_of(played), PLAIN, 74)).split())
    for part in (
        "PIP, the Hatchling", "campaign-001", "with a new hero", "seed 7", "train 1,000 more steps", "idle",
        "0.310 at step 1,050", "1.125 at step 1,000", "BIN 2", "tokens trained 12k", "checkpoint-900",
    ):  # fmt: skip
        assert part in told, part


def test_what_is_in_the_way_is_told_with_its_way_out(played: SaveFolder) -> None:
    from realm_tui.runtime.momentum import Hindrance

    found = view_of(played)
    assert found.momentum is not None
    in_the_way = Hindrance(
        "DISK_FULL", "high", "room was looked for", "0.1 GB are free", "free some \x1b[31mspace", None
    )
    stopped = replace(found.momentum, status="blocked", hindrances=(in_the_way,))
    told = text(campaign_rows.momentum_rows(stopped, PLAIN, 70))
    assert "blocked" in told and "DISK_FULL" in told and "free some space" in told
    assert "the vault is full" in text(campaign_rows.momentum_rows(stopped, Look(), 70))


def test_milestones_come_newest_first_with_the_players_notes(played: SaveFolder) -> None:
    remember(played, "moved the box\x07 " + "x" * 400)
    rows = campaign_rows.milestone_rows(view_of(played).milestones, PLAIN, 60)
    assert "moved the box" in text(rows[:1]) and "\x07" not in text(rows)
    assert "the first step" in text(rows[-1:])
    assert all(width_of(row) == 60 for row in rows)
    assert "nothing yet" in text(campaign_rows.milestone_rows((), PLAIN, 60))


def test_the_played_campaign_comes_first_and_the_archived_last(played: SaveFolder) -> None:
    waiting = begin(played, name="second")
    later = begin(played, name="third", from_form=None)
    switch(played, later.id)
    archive(played, "campaign-001")
    found = view_of(played, "campaign-001")
    assert [s.id for s in found.lines] == [later.id, waiting.id, "campaign-001"]
    assert found.momentum is None
    told = text(campaign_rows.way_rows(found, PLAIN, 74))
    assert "archived" in told and "left before its end" in told
    assert "‖" in lines(campaign_rows.list_items(found, PLAIN)).splitlines()[1]


def test_a_long_history_is_read_look_by_look(played: SaveFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(played) as save:
        at_once = CampaignReader().read(save)
        monkeypatch.setattr("realm_tui.runtime.campaign_view.LONG_STEPS", 1000)
        reader = CampaignReader()
        looks = [reader.read(save) for _ in range(4)]
    first, whole = looks[0], looks[-1]
    assert first.standing is None and first.milestones is None and first.momentum is not None
    told = text(campaign_rows.way_rows(first, PLAIN, 74))
    assert "being read" in told and "BIN 2" in told and "train 1,000 more steps" in told
    assert whole.standing is not None and whole.standing.effort > 1000 and whole.milestones
    assert (whole.standing, whole.milestones) == (at_once.standing, at_once.milestones)
    assert view_of(played, "gone").chosen.id == "campaign-001"


def test_what_takes_long_to_read_is_not_read_all_the_time() -> None:
    seconds = 0.0
    made = []

    def make() -> int:
        nonlocal seconds
        seconds += 2.0
        made.append(seconds)
        return len(made)

    clock.use(lambda: NOW, lambda: seconds)
    try:
        slow: Resting[int] = Resting()
        assert slow.get("a", make) == 1
        seconds = 101.0
        assert slow.get("a", make) == 1
        assert slow.get("b", make) == 2, "something else is read at once"
        seconds = 250.0
        assert slow.get("b", make) == 3
    finally:
        clock.use()


# ---------------------------------------------------------------- the vault


def book_of(folder: SaveFolder) -> LedgerView:
    with opened(folder) as save:
        return ledger_view(save)


def test_the_ledgers_lines_say_what_each_form_is(played: SaveFolder) -> None:
    book = book_of(played)
    shown = Choice().of(book.forms)
    told = lines(ledger.list_items(shown, None)).splitlines()
    assert [line.split()[0] for line in told] == ["1,250", "♛", "400"]
    assert "BIN L2 .93" in told[1] and "level_up" in told[1] and "–" in told[0]
    assert lines(ledger.list_items(shown, shown[2].id)).splitlines()[2].startswith("=")
    assert "no form fits" in text(ledger.empty_rows(book, Choice(text="zzz"), PLAIN))
    assert "no form is kept yet" in text(ledger.empty_rows(replace(book, forms=()), Choice(), PLAIN))


def test_a_form_closely_and_two_beside_each_other(played: SaveFolder) -> None:
    forms = {f.step: f for f in book_of(played).forms}
    told = text(ledger.form_rows(forms[900], PLAIN, 50))
    for part in ("checkpoint-900", "60 of 64, .93", "refused: it is the champion", "2.4 MB, full"):
        assert part in told, part
    beside = text(ledger.beside_rows(forms[400], forms[900], PLAIN, 74))
    assert "+1 ✓" in beside and "+500" in beside
    assert "-1 ✗" in text(ledger.beside_rows(forms[900], forms[400], PLAIN, 74))


def test_before_a_form_is_deleted_it_is_said_what_is_lost(played: SaveFolder) -> None:
    with opened(played) as save:
        plan = deletion(save, ledger_view(save).forms[0])
    told = ledger.deletion_text(plan)
    assert "2.4 MB" in told and "only copy" in told and "cannot be undone" in told


# ---------------------------------------------------------------- the gate


@pytest.mark.parametrize("width", [38, 78, 118])
def test_the_gate_shows_both_what_the_questions_said_and_the_price(played: SaveFolder, width: int) -> None:
    meet(played, 1250, "C" * 20 + "M" * 44, "C" * 50 + "M" * 14)
    with opened(played) as save:
        seen = gate_view(save, "1250")
    told = text(gate.verdict_rows(seen, PLAIN, width, 64))
    assert "better" in told and "128 questions, 4.0 s" in told and "won 30" in told
    assert all(width_of(fit(row, width)) == width for row in gate.fighters(seen, PLAIN, width))
    assert "checkpoint-900" in text(gate.fighters(seen, PLAIN, 110))
    bar = text(gate._counts(seen, PLAIN, width)[1:])
    assert bar.count("▓") > bar.count("█") and "▒" not in bar
    assert "right ④" in text(gate.discordant_rows(seen, PLAIN, width))


def test_a_gate_nobody_stands_at(played: SaveFolder) -> None:
    with opened(played) as save:
        seen = gate_view(save)
        empty = replace(seen, champion=None, challenger=None, candidates=(), before=None)
    assert "they never answered the same questions" in text(gate.discordant_rows(seen, PLAIN, 60))
    assert "nobody challenges" in text(gate.verdict_rows(empty, PLAIN, 60, 64))
    assert "nobody" in text(gate.fighters(empty, PLAIN, 60))
    assert gate.candidate_items(empty, PLAIN) == [] and gate.candidates_empty(PLAIN)


# ---------------------------------------------------------------- heroes


def test_the_roster_says_who_plays_who_is_ready_and_what_is_missing(played: SaveFolder) -> None:
    with opened(played) as save:
        view = RosterReader().read(save)
    assert view.heroes[0].id == "pip-hatchling" and view.heroes[0].playing
    told = lines(roster.hero_items(view, PLAIN))
    assert "PIP, the Hatchling" in told.splitlines()[0] and "active" in told.splitlines()[0]
    assert "not installed" in told
    pip = text(roster.hero_rows(view.heroes[0], PLAIN, 60))
    assert "made on the spot" in pip and "BIN 2" in pip and "1,250" in pip
    dio = next(h for h in view.heroes if h.id.startswith("dio"))
    page = text(roster.hero_rows(dio, PLAIN, 60))
    assert "realm hero install dio" in page.replace("\n", " ") and "begins one" in page and "GB" in page
    assert "Qwen3-0.6B" in page


def test_a_broken_hero_is_named_with_its_file_and_the_others_stay(played: SaveFolder) -> None:
    own = Path(played.root).parents[1] / "config" / "heroes"
    own.mkdir(parents=True)
    (own / "odd.yaml").write_text("id: odd\nname: \x1b[31mODD\n", encoding="utf-8")
    with opened(played) as save:
        view = RosterReader().read(save)
    odd = next(h for h in view.heroes if h.id == "odd")
    assert "odd.yaml" in odd.trouble and odd.config is None
    told = text(roster.hero_rows(odd, PLAIN, 60))
    assert "odd" in told and "\x1b" not in told
    assert "broken" in lines(roster.hero_items(view, PLAIN)) and len(view.heroes) > 5


def test_the_hall_keeps_what_a_campaign_reached(played: SaveFolder) -> None:
    later = begin(played, name="second")
    archive(played, None, then=later.id)
    with opened(played) as save:
        view = RosterReader().read(save)
    assert [one.id for one in view.hall] == ["campaign-001"]
    told = text(roster.legend_rows(view.hall[0], PLAIN, 60))
    assert "BIN 2" in told and "1,250" in told and "left" in told
    assert "PIP, the Hatchling" in lines(roster.legend_items(view, PLAIN))
    assert "archive" in text(roster.legend_rows(None, PLAIN, 60))


# ---------------------------------------------------------------- foreign text and widths


LONG = "⚔️🔥\x1b]0;x\x07" + "Ein sehr langer Name " * 500


def test_rows_keep_their_width_and_let_nothing_through(played: SaveFolder) -> None:
    meet(played, 1250, "C" * 20 + "M" * 44, "C" * 50 + "M" * 14)
    begin(played, name=LONG)
    with closing(open_save(played, write=True)) as conn:
        conn.execute("UPDATE exam_items SET prompt = ?, answer = ?, expected = ?", (LONG, LONG, LONG))
        conn.execute("UPDATE checkpoints SET reasons_json = ?", ('["' + "x" * 3000 + '"]',))
    with opened(played) as save:
        campaigns, book = CampaignReader().read(save), ledger_view(save)
        seen, heroes = gate_view(save, "1250"), RosterReader().read(save)
    painters: list[Callable[[Look, int], Sequence[Row]]] = [
        lambda look, w: campaign_rows.way_rows(campaigns, look, w),
        lambda look, w: campaign_rows.milestone_rows(campaigns.milestones, look, w),
        lambda look, w: [one.painted(w) for one in campaign_rows.list_items(campaigns, look)],
        lambda look, w: ledger.form_rows(book.forms[0], look, w),
        lambda look, w: ledger.beside_rows(book.forms[0], book.forms[1], look, w),
        lambda look, w: [one.painted(w) for one in ledger.list_items(book.forms, None)],
        lambda look, w: gate.verdict_rows(seen, look, w, 64),
        lambda look, w: gate.discordant_rows(seen, look, w),
        lambda look, w: gate.fighters(seen, look, w),
        lambda look, w: roster.hero_rows(heroes.heroes[0], look, w),
        lambda look, w: [one.painted(w) for one in roster.hero_items(heroes, look)],
    ]
    for look, width, paint in product((Look(), PLAIN, Look(ascii=True)), (24, 40, 76, 116), painters):
        rows = [fit(row, width) for row in paint(look, width)]
        assert rows and all(width_of(row) == width for row in rows)
        assert not any(char in text(rows) for char in "\x1b\x07\ufe0f")
