"""The one registry of actions: keys, footer, help screen and palette are all made from it, and from each screen's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Where = Literal["everywhere", "battle", "pages"]
"""Where an action is offered: on every screen, on the Battle screen alone, or on every other one."""


_PRINTED = {
    "question_mark": "?",
    "slash": "/",
    "colon": ":",
    "escape": "esc",
    "ctrl+p": "^p",
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
}


@dataclass(frozen=True, slots=True)
class Action:
    """Something the player can do."""

    id: str
    """The app, or the screen whose own action it is, answers with its method ``action_<id>``."""
    key: str
    plain: str
    """What it does, in one or two words, in technical terms."""
    tavern: str
    """The same in the tavern's words."""
    help: str
    """One sentence for the help screen and the palette."""
    in_footer: bool = True
    confirm: str = ""
    """The question asked first, for what cannot be taken back."""
    footer_order: int = 50
    """Smaller survives longer on a narrow screen."""
    where: Where = "everywhere"

    def offered(self, *, on_battle: bool) -> bool:
        """Whether it can be done on the Battle screen, or else on the other ones."""
        return self.where == "everywhere" or (self.where == "battle") == on_battle

    @property
    def key_label(self) -> str:
        """The key as it is printed."""
        return _PRINTED.get(self.key, self.key)

    def label(self, tavern: bool) -> str:
        return self.tavern if tavern else self.plain


ACTIONS: tuple[Action, ...] = (
    Action(
        "home",
        "escape",
        "back",
        "back",
        "Back to the Battle screen.",
        where="pages",
        footer_order=0,
    ),
    Action(
        "pause_or_resume",
        "p",
        "pause/resume",
        "rest/march",
        "Pause training at the next step, resume it, or start the engine when none runs.",
        footer_order=1,
    ),
    Action(
        "add_quest",
        "d",
        "add data",
        "drop a quest",
        "Choose a JSONL file; it becomes a quest on the board.",
        footer_order=2,
    ),
    Action(
        "checkpoint",
        "c",
        "checkpoint",
        "anchor",
        "Save a checkpoint now.",
        footer_order=4,
    ),
    Action(
        "promote",
        "P",
        "promote",
        "crown",
        "Make the best examined checkpoint the champion and export it as a plain model folder.",
        footer_order=5,
    ),
    Action(
        "ask",
        "a",
        "ask",
        "ask the oracle",
        "Ask the champion, or the live hero, something now.",
        footer_order=6,
    ),
    Action(
        "spar",
        "M",
        "spar",
        "face the mirror",
        "Let the hero answer fresh problems; what it gets wrong becomes a quest that goes first.",
        in_footer=False,
    ),
    Action(
        "skip",
        "k",
        "skip quest",
        "skip quest",
        "Leave the quest that trains now and take the next one.",
        confirm="Skip the quest that trains now? What it taught stays; its remaining steps are not taken.",
        footer_order=7,
    ),
    Action(
        "stop",
        "s",
        "stop engine",
        "make camp",
        "Save a checkpoint and stop the engine; a second time stops at once.",
        confirm="Stop the engine? It saves a checkpoint first; `p` starts it again.",
        footer_order=8,
    ),
    Action(
        "more",
        "m",
        "screens",
        "halls",
        "Every screen there is; `1` … `0` open ten of them at once.",
        footer_order=2,
    ),
    Action(
        "names",
        "v",
        "tavern names",
        "plain names",
        "Switch between the tavern's words and technical ones.",
        footer_order=9,
    ),
    Action(
        "away",
        "w",
        "last away report",
        "what I missed",
        "Show again what happened while you were away.",
        in_footer=False,
    ),
    Action(
        "zoom",
        "z",
        "zoom curve",
        "zoom the pool",
        "Strain of the whole campaign, or of the newest steps.",
        in_footer=False,
        where="battle",
    ),
    Action(
        "ascii",
        "e",
        "ASCII on/off",
        "ASCII on/off",
        "Draw with ASCII characters only.",
        in_footer=False,
    ),
    Action(
        "sound",
        "n",
        "sound on/off",
        "bell on/off",
        "Ring the terminal's bell for a level, a crown, a deed, a new region, a quest done or failed, trouble, and a fallen "
        "engine, each in its own rhythm; or be silent.",
        in_footer=False,
    ),
    Action(
        "theme",
        "t",
        "theme",
        "candlelight",
        "Choose the colours.",
        in_footer=False,
    ),
    Action(
        "palette",
        "colon",
        "palette",
        "palette",
        "Search everything that can be done; `ask …` in it asks at once.",
        footer_order=11,
    ),
    Action(
        "help",
        "question_mark",
        "help",
        "help",
        "Every key, and what the numbers on the screen mean.",
        footer_order=3,
    ),
    Action(
        "leave",
        "q",
        "quit",
        "leave",
        "Leave the screen; you choose whether the hero trains on.",
        footer_order=0,
    ),
)


def action(action_id: str) -> Action:
    """The action with that id; `KeyError` when there is none."""
    for one in ACTIONS:
        if one.id == action_id:
            return one
    raise KeyError(action_id)
