"""Keys, footer, help and palette come from one registry and agree."""

from __future__ import annotations

import pytest
from textual.binding import Binding
from textual.command import DiscoveryHit

from realm_tui.app.actions import ACTIONS, action
from realm_tui.app.app import RealmApp
from realm_tui.app.drawing import Look
from realm_tui.app.palette import ActionCommands
from realm_tui.app.screens.help import key_lines
from realm_tui.app.widgets.footer import footer_actions
from tests.face import samples

ISSUE_KEYS = {"p", "c", "P", "d", "k", "s", "v", "?", "q"}


def test_every_key_of_the_game_has_an_action() -> None:
    assert {a.key_label for a in ACTIONS} >= ISSUE_KEYS
    assert len({a.key for a in ACTIONS}) == len({a.id for a in ACTIONS}) == len(ACTIONS)


def test_every_action_is_answered_by_the_app_and_explained() -> None:
    for one in ACTIONS:
        assert callable(getattr(RealmApp, f"action_{one.id}"))
        assert one.help.endswith(".") and one.plain and one.tavern
    bound = {binding.id for binding in RealmApp.BINDINGS if isinstance(binding, Binding) and binding.id}
    assert bound == {a.id for a in ACTIONS}


@pytest.mark.parametrize("look", [Look(), Look(names="plain")])
def test_help_lists_every_action(look: Look) -> None:
    assert [key for key, _, _ in key_lines(look)] == [a.key_label for a in ACTIONS]


async def test_the_palette_offers_every_action() -> None:
    app = samples.app()
    async with app.run_test(size=(120, 40)):
        provider = ActionCommands(app.screen)
        offered = [str(hit.display) async for hit in provider.discover() if isinstance(hit, DiscoveryHit)]
    assert len(offered) == len(ACTIONS)
    for one, shown in zip(ACTIONS, offered, strict=True):
        assert one.plain in shown and f"({one.key_label})" in shown


@pytest.mark.parametrize("width", [61, 80, 120, 200])
def test_the_footer_keeps_what_matters_most_where_room_is_short(width: int) -> None:
    shown = footer_actions(Look(), width)
    assert all(end <= width for _, _, end in shown)
    assert {"leave", "pause_or_resume"} <= {one.id for one, _, _ in shown}
    if width >= 200:
        assert {one.id for one, _, _ in shown} == {a.id for a in ACTIONS if a.in_footer}


def test_what_cannot_be_taken_back_asks_first() -> None:
    assert action("stop").confirm and action("skip").confirm
