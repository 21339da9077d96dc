"""The bell: silent unless wanted, one rhythm for each of eight occasions, the weightiest first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.link.state import EngineState
from realm_tui.app.app import RealmApp
from realm_tui.app.bell import RHYTHMS, Bell
from realm_tui.app.facts import Facts, QuestLine
from realm_tui.runtime.status import ChampionStatus
from tests.face import samples
from tests.face.test_screen import settle, until


def first() -> Facts:
    """A moment in training: a quest in training, a region and deeds that are known."""
    facts = samples.facts()
    return replace(
        facts,
        hero=replace(facts.hero, region="novice_valley", deeds=("first_step",)),
        quests=(QuestLine("chats", "normal", 9, "processing"),),
    )


def now(**status: Any) -> Facts:
    facts = first()
    return replace(facts, status=replace(facts.status, **status))


def with_hero(**changes: Any) -> Facts:
    facts = first()
    return replace(facts, hero=replace(facts.hero, **changes))


def quest(state: str) -> Facts:
    return replace(first(), quests=(QuestLine("chats", "normal", 9, state),))


BIN = first().status.skills["bin"]
NEWS: dict[str, Facts] = {
    "fallen": now(state=EngineState.CRASHED),
    "incident": now(incidents=first().status.incidents + 1),
    "failed": quest("failed"),
    "crown": now(champion=ChampionStatus("step-9999", 9999, "form", "d", samples.NOW)),
    "level": now(skills={"bin": replace(BIN, mastered=BIN.mastered + 1)}),
    "region": with_hero(region="logic_foothills"),
    "deed": with_hero(deeds=("first_step", "first_crown")),
    "quest": quest("completed"),
}


def heard(*moments: Facts) -> list[tuple[float, ...]]:
    bell = Bell()
    return [bell.hear(facts) for facts in moments]


@pytest.mark.parametrize("occasion", RHYTHMS)
def test_each_occasion_has_a_rhythm_of_its_own_and_the_same_facts_are_silent(occasion: str) -> None:
    assert heard(first(), NEWS[occasion], NEWS[occasion]) == [(), RHYTHMS[occasion], ()]


def test_no_two_rhythms_are_alike_and_the_weightiest_wins() -> None:
    assert len(set(RHYTHMS.values())) == len(RHYTHMS) == 8
    both = replace(quest("completed"), status=now(incidents=first().status.incidents + 1).status)
    assert heard(first(), both)[-1] == RHYTHMS["incident"]


def test_another_campaign_and_what_was_unknown_before_are_no_news() -> None:
    unknown = with_hero(region=None, deeds=None)
    assert heard(unknown, first())[-1] == ()
    crowned = NEWS["crown"]
    elsewhere = replace(crowned, status=replace(crowned.status, campaign="campaign-009"))
    assert heard(first(), elsewhere)[-1] == ()


@pytest.mark.parametrize("place", ["battle", "board"])
async def test_it_is_silent_until_n_is_pressed_and_rings_on_every_screen(
    monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    strokes: list[int] = []
    monkeypatch.setattr(RealmApp, "bell", lambda self: strokes.append(1))
    source = samples.FakeSource(first())
    app = samples.app(source=source)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        source.facts = quest("completed")
        app.refresh_facts()
        await settle(pilot)
        assert not strokes
        app.action_go(place)
        await settle(pilot)
        await pilot.press("n")
        assert app._keeper.kept["face.bell"] is True  # type: ignore[attr-defined]
        strokes.clear()
        source.facts = quest("failed")
        app.refresh_facts()
        await until(pilot, lambda: len(strokes) == len(RHYTHMS["failed"]))
        await pilot.press("n")
        assert app._keeper.kept["face.bell"] is False  # type: ignore[attr-defined]
