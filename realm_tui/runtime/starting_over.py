"""Starting over at four depths: what would go, and doing it once the player has typed the save's name."""

from __future__ import annotations

from contextlib import ExitStack

from configs.errors import BlockedError, UsageError
from configs.paths import SaveFolder
from realm_tui.runtime.opened import OpenedSave, opened
from saves.campaigns import campaign as find
from saves.reset import DEPTHS, TYPED, Depth, Reset, carry_out, plan_reset
from saves.upkeep import alone


def depth_of(text: str) -> Depth:
    """The depth called so; `UsageError` when there is none."""
    found = next((d for d in DEPTHS if d == text), None)
    if found is None:
        raise UsageError(f"{text!r} is no depth", fix=f"choose {', '.join(DEPTHS)}", code="BAD_ARGUMENT")
    return found


def would_go(save: OpenedSave, depth: Depth, campaign: str | None = None) -> Reset:
    """What a reset would take away; nothing is changed.

    Raises:
        BlockedError: another campaign began with a form that would go.
    """
    return plan_reset(save.folder, save.conn, depth, find(save.conn, campaign) if campaign else save.campaign)


def start_over(
    folder: SaveFolder,
    depth: Depth,
    campaign: str | None = None,
    *,
    confirm: str | None = None,
    from_screen: bool = False,
) -> tuple[Reset, str]:
    """Carry a reset out; what went, and the name of the copy of the database that was made first.

    Args:
        folder: the save's folder.
        depth: how deep.
        campaign: which one; None: the active one.
        confirm: the save's name as the player typed it; the depths of `TYPED` want it.
        from_screen: the caller is the screen that has the save open.

    Raises:
        BlockedError: the name is missing or wrong, or an engine or another screen uses the save.
    """
    if depth in TYPED and confirm != folder.name:
        raise BlockedError(
            f"a {depth} reset wants the save's name",
            why="it takes every campaign and the board",
            fix=f"add --confirm {folder.name}",
            code="NOT_CONFIRMED",
        )
    with ExitStack() as stack:
        stack.enter_context(alone(folder, face=not from_screen))
        save = stack.enter_context(opened(folder, write=True))
        meant = find(save.conn, campaign) if campaign else save.campaign
        plan = plan_reset(folder, save.conn, depth, meant)
        return plan, carry_out(folder, save.conn, plan, meant)
