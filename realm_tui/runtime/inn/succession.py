"""Who may follow the champion, and what auto-deploy would put to work at a place now."""

from __future__ import annotations

from realm_tui.runtime.gate_view import gate_view
from realm_tui.runtime.inn.gate import examined
from realm_tui.runtime.opened import OpenedSave
from saves import ceremonies, ledger
from saves.rows import Checkpoint


def candidates(save: OpenedSave, *, newest: bool = True) -> list[Checkpoint]:
    """Forms of the campaign in play that may take the champion's place, the likeliest first: the best examined, then the newest.

    Args:
        save: the save.
        newest: also the newest form, where it came after the champion; it may have sat no exam yet.
    """
    from engine.trainer.promotion import best_examined

    mine = [c for c in ledger.kept_checkpoints(save.conn) if c.campaign_id == save.campaign.id]
    reigning = ledger.champion(save.conn, save.campaign.id)
    champion = ledger.checkpoint(save.conn, reigning.checkpoint_id) if reigning is not None else None
    found = [best_examined(mine)]
    latest = ledger.newest_checkpoint(save.conn, save.campaign.id)
    if newest and champion is not None and latest is not None and latest.step > champion.step:
        found.append(latest)
    held = {champion.digest} if champion is not None else set()
    chosen: dict[str, Checkpoint] = {}
    for form in found:
        if form is not None and form.digest not in held:
            chosen.setdefault(form.digest, form)
    return list(chosen.values())


def due(save: OpenedSave, place: str) -> str | None:
    """What auto-deploy would put to work at a place now: a form shown to be better than the champion, else the champion.

    Returns:
        The form's name; None: what should work there works there, or nothing may.
    """
    reigning = ledger.champion(save.conn)
    wanted = ledger.checkpoint(save.conn, reigning.checkpoint_id) if reigning is not None else None
    for form in candidates(save):
        if gate_view(save, form.id).verdict in ("better", "alone"):
            wanted = form
            break
    working = ceremonies.at_work(save.conn, place)
    if wanted is None or (working is not None and working.digest == wanted.digest):
        return None
    if was_refused(save, place, wanted) or not examined(save, wanted, gate_view(save, wanted.id)):
        return None
    return wanted.name


def was_refused(save: OpenedSave, place: str, form: Checkpoint) -> bool:
    """Whether a form failed at a place when it was last tried there, or the player took it back."""
    tried = next((c for c in ceremonies.ceremonies(save.conn, box=place, limit=1)), None)
    return tried is not None and tried.digest == form.digest and tried.state in ("failed", "undone")
