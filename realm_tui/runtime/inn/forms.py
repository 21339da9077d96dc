"""Who can be asked: a form of the ledger, or the model it was made from. Each is named by the digest of its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from configs.errors import BlockedError, UsageError
from realm_tui.runtime.opened import OpenedSave
from saves import ledger
from saves.checkpoint_folder import model_digest
from saves.plain_model import model_hashes
from saves.rows import Checkpoint

BASE = "base"
QUICK = ("champion", "best", "latest", BASE)
"""What a form can be called instead of by its name."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """A form that can answer."""

    name: str
    step: int | None
    """None: the base, which took no step here."""
    digest: str
    """64 hex digits over the files of its model."""
    folder: Path
    """Where it lies on this machine."""
    base: Path | None = None
    """Of an adapter: the folder of the model it was trained on."""
    checkpoint: int | None = None
    """Its number in the ledger; None: the base."""

    @property
    def served_as(self) -> str:
        """The name under which a server offers it."""
        return f"realm@{self.digest}"


def speaker(save: OpenedSave, which: str) -> Speaker:
    """The form called ``which``: what `engine.trainer.promotion.find_form` knows, or ``base``. Never another one instead.

    Raises:
        UsageError: there is no such form.
        BlockedError: there is none yet, the hero has no base, or its folder is gone.
    """
    if which == BASE:
        return _base(save)
    from engine.trainer.promotion import find_form

    return of_checkpoint(save, find_form(save.conn, which))


def of_checkpoint(save: OpenedSave, form: Checkpoint) -> Speaker:
    """A checkpoint as a speaker.

    Raises:
        BlockedError: its folder is gone.
    """
    from engine.hero.folder import is_adapter

    folder = ledger.folder_of(save.folder, form)
    if not folder.is_dir():
        raise BlockedError(
            f"{form.name} is in the ledger, but its folder is gone",
            why=f"{folder} does not exist",
            fix="ask another form (`realm ledger list`)",
            code="FORM_GONE",
        )
    base = _base_folder(save) if is_adapter(folder) else None
    return Speaker(form.name, form.step, form.digest, folder, base, form.id)


def default_form(save: OpenedSave) -> str:
    """Who is asked when nobody is named: the champion, else the newest form.

    Raises:
        BlockedError: nothing was saved yet.
    """
    if ledger.champion(save.conn) is not None:
        return "champion"
    if ledger.newest_checkpoint(save.conn, save.campaign.id) is not None:
        return "latest"
    raise BlockedError(
        f"{save.hero.name} has not learnt anything yet, so there is nobody to ask",
        fix=f"train first: `realm play --save {save.folder.name}`",
        code="NO_CHECKPOINT",
    )


def has_base(save: OpenedSave) -> bool:
    """Whether the hero was made from a model that can be asked as well."""
    return save.hero.model.source == "pretrained"


def _base_folder(save: OpenedSave) -> Path:
    from engine.hero.folder import find_folder

    return find_folder(save.hero, fetch=False)  # who asks a question has not asked for a download


def _base(save: OpenedSave) -> Speaker:
    if not has_base(save):
        raise UsageError(
            f"{save.hero.name} was made on the spot and has no base",
            fix="ask one of its forms (`realm ledger list`)",
            code="NO_BASE",
        )
    folder = _base_folder(save)
    return Speaker(BASE, None, folder_digest(folder), folder)


def folder_digest(folder: Path) -> str:
    """The digest of a model's folder that has no list of its own; a file is read again only when it changed.

    Raises:
        RealmError: there is no model in it, or it cannot be read.
    """
    return model_digest(model_hashes(folder))
