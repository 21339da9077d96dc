"""Keys, footer, help and palette come from one registry and agree."""

from __future__ import annotations

from typing import Any

import pytest
from textual.binding import Binding
from textual.command import DiscoveryHit, Hit

from lore.lexicon import entry
from realm_tui.app.actions import ACTIONS, action
from realm_tui.app.app import RealmApp
from realm_tui.app.drawing import Look
from realm_tui.app.palette import ActionCommands
from realm_tui.app.screens.frame import Frame
from realm_tui.app.screens.help import key_lines, screen_lines
from realm_tui.app.screens.page import Page
from realm_tui.app.screens.registry import SCREENS, screen
from realm_tui.app.widgets.footer import footer_actions
from tests.face import samples

ISSUE_KEYS = {"p", "c", "P", "d", "k", "s", "v", "n", "?", "q"}


def test_every_key_of_the_game_has_an_action() -> None:
    assert {a.key_label for a in ACTIONS} >= ISSUE_KEYS
    assert len({a.key for a in ACTIONS}) == len({a.id for a in ACTIONS}) == len(ACTIONS)


def test_every_action_is_answered_by_the_app_and_explained() -> None:
    for one in ACTIONS:
        assert callable(getattr(RealmApp, f"action_{one.id}"))
        assert one.help.endswith(".") and one.plain and one.tavern
    bound = {binding.id for binding in RealmApp.BINDINGS if isinstance(binding, Binding) and binding.id}
    assert bound == {a.id for a in ACTIONS} | {f"screen.{s.id}" for s in SCREENS if s.key and s.id != "more"}


def test_every_screen_has_a_word_in_both_voices_a_help_line_and_a_key_of_its_own() -> None:
    keys = [s.key for s in SCREENS if s.key] + [a.key for a in ACTIONS if a.id != "more"]
    assert len(set(keys)) == len(keys)
    assert len({s.id for s in SCREENS}) == len(SCREENS)
    for one in SCREENS:
        assert entry(one.word).tooltip and one.help.endswith(".")
        assert one.cls or one.promised.endswith(".")


def screen_classes() -> list[type[Page[Any]]]:
    """Every screen that is built, but for the Battle screen."""
    return [type(s.made()) for s in SCREENS if s.cls and s.id != "battle"]


@pytest.mark.parametrize("kind", screen_classes(), ids=lambda kind: kind.__name__)
def test_a_screens_own_actions_are_answered_explained_and_hide_no_key_of_the_game(kind: type[Page[Any]]) -> None:
    shared = {s.key for s in SCREENS if s.key} | {a.key for a in ACTIONS}
    assert entry(kind.word) is not None
    for one in kind.keys:
        assert callable(getattr(kind, f"action_{one.id}")), one.id
        assert one.key and one.help.endswith(".") and one.plain and one.tavern
        assert one.key not in shared, f"{one.key} means something on every screen"
    assert len({a.key for a in kind.keys}) == len(kind.keys)


@pytest.mark.parametrize("on_battle", [True, False])
@pytest.mark.parametrize("look", [Look(), Look(names="plain")])
def test_help_lists_every_action_that_is_offered(look: Look, on_battle: bool) -> None:
    offered = [a.key_label for a in ACTIONS if a.offered(on_battle=on_battle)]
    assert [key for key, _, _ in key_lines(look, on_battle=on_battle)] == offered
    assert [key for key, _, _ in screen_lines(look)] == [s.key for s in SCREENS]


@pytest.mark.parametrize("place", [s.id for s in SCREENS])
async def test_the_palette_offers_every_action_of_the_screen_it_is_called_on_and_every_screen(place: str) -> None:
    app = samples.app()
    async with app.run_test(size=(120, 40)):
        here: Frame = app.top if place == "battle" else screen(place).made()
        provider = ActionCommands(here)
        offered = [str(hit.display) async for hit in provider.discover() if isinstance(hit, DiscoveryHit)]
    wanted = [*here.keys, *(a for a in ACTIONS if a.offered(on_battle=place == "battle"))]
    for one, shown in zip(wanted, offered, strict=False):
        assert one.plain in shown and f"({one.key_label})" in shown
    assert len(offered) == len(wanted) + len(SCREENS)


async def test_a_search_finds_what_another_screen_can_do_and_leads_there() -> None:
    app = samples.app()
    async with app.run_test(size=(120, 40)) as pilot:
        provider = ActionCommands(app.top)
        await provider.startup()
        hits = {str(hit.text): hit async for hit in provider.search("weight") if isinstance(hit, Hit)}
        (name,) = (one for one in hits if "Guild Hall" in one)
        assert "(3, u)" in name
        for one in (one for place in SCREENS for one in place.actions):
            assert [hit async for hit in provider.search(one.plain)], one.id
        await hits[name].command()
        await pilot.pause()
        assert app.top.place == "guild"


@pytest.mark.parametrize("width", [61, 80, 120, 200])
def test_the_footer_keeps_what_matters_most_where_room_is_short(width: int) -> None:
    shown = footer_actions(Look(), width)
    assert all(end <= width for _, _, end in shown)
    assert {"leave", "pause_or_resume"} <= {one.id for one, _, _ in shown}
    if width >= 200:
        assert {one.id for one, _, _ in shown} == {a.id for a in ACTIONS if a.in_footer and a.offered(on_battle=True)}


def test_what_cannot_be_taken_back_asks_first() -> None:
    assert action("stop").confirm and action("skip").confirm
