"""The one registry of screens: their keys, tabs, help lines and palette entries are all made from it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from realm_tui.app.actions import Action
    from realm_tui.app.screens.page import Page

HOME = "battle"
MORE = "more"


@dataclass(frozen=True, slots=True)
class ScreenEntry:
    """A screen the player can open."""

    id: str
    key: str
    """Opens it from everywhere; empty: it is reached from the list of all screens and from the palette."""
    word: str
    """Lexicon key of its name and what it shows."""
    module: str
    """Module under ``realm_tui.app.screens``; imported when the screen is first opened."""
    cls: str
    """The screen's class, made without arguments; empty while what it shows does not exist."""
    help: str
    """One sentence for the help screen, the palette and the list of all screens."""
    promised: str = ""
    """What a screen without data will show, and what brings it."""

    @property
    def action(self) -> str:
        """The app's action that opens it."""
        return f"go('{self.id}')"

    @property
    def actions(self) -> tuple[Action, ...]:
        """What can be done on it alone; its module is imported."""
        if not self.cls or self.id == HOME:
            return ()
        found: tuple[Action, ...] = getattr(import_module(f"realm_tui.app.screens.{self.module}"), self.cls).keys
        return found

    def made(self) -> Page[Any]:
        """A new screen; one that only promises something when there is nothing to show yet."""
        if not self.cls:
            from realm_tui.app.screens.promised import PromisedScreen

            page: Page[Any] = PromisedScreen(self)
        else:
            page = getattr(import_module(f"realm_tui.app.screens.{self.module}"), self.cls)()
        page.place = self.id
        return page


SCREENS: tuple[ScreenEntry, ...] = (
    ScreenEntry(
        HOME,
        "1",
        "screen.battle",
        "battle",
        "BattleScreen",
        "Who is learning, that it is learning, what it reads, and what comes next.",
    ),
    ScreenEntry(
        "board",
        "2",
        "screen.board",
        "board",
        "BoardScreen",
        "Every quest: what trains, what waits, what is done or failed; change the order, try again, look inside.",
    ),
    ScreenEntry(
        "guild",
        "3",
        "screen.guild",
        "guild",
        "GuildScreen",
        "Skills won, held and lost, the abilities under them, and what the curriculum decides next and why.",
    ),
    ScreenEntry(
        "campaign",
        "4",
        "screen.campaign",
        "campaign",
        "CampaignScreen",
        "Peaks, milestones and the next action of this campaign; switch to another, or archive one.",
    ),
    ScreenEntry(
        "vault",
        "5",
        "screen.vault",
        "vault",
        "VaultScreen",
        "Every form that was kept: browse, filter, compare two, promote, delete after a dry run, export.",
    ),
    ScreenEntry(
        "oracle",
        "6",
        "screen.oracle",
        "oracle",
        "OracleScreen",
        "Talk with a form that was kept, compare the answers of two, and put one to work at the Inn.",
    ),
    ScreenEntry(
        "temple",
        "7",
        "screen.temple",
        "",
        "",
        "Rites that measure the hero's health in depth, and the blessings they gave.",
        promised="The orders of the temple: what each measures, when it was last held, what it found, and what it "
        "cost. Until it opens, the exams measure what the hero can do, and incidents tell what is wrong.",
    ),
    ScreenEntry(
        "forge",
        "8",
        "screen.forge",
        "forge",
        "ForgeScreen",
        "Drills for weak abilities, sparring, and the review of forged skills.",
    ),
    ScreenEntry(
        "garrison",
        "9",
        "screen.garrison",
        "garrison",
        "GarrisonScreen",
        "Incidents, disks, and the hosts that work for the hero.",
    ),
    ScreenEntry(
        "settings",
        "0",
        "screen.settings",
        "settings",
        "SettingsScreen",
        "The rules in force, the memory a training takes, and starting over.",
    ),
    ScreenEntry(MORE, "m", "screen.more", "more", "MoreScreen", "All screens, also those without a key of their own."),
    ScreenEntry(
        "watchtower",
        "",
        "screen.watchtower",
        "watchtower",
        "WatchtowerScreen",
        "The raw charts: losses, learning rate, gradient, speed, memory; zoom, smooth, lay two runs over each other.",
    ),
    ScreenEntry(
        "strain",
        "",
        "screen.strain",
        "strain",
        "StrainScreen",
        "Strain over the whole campaign, with the ghost of another laid over it, and what each skill cost.",
    ),
    ScreenEntry(
        "evals",
        "",
        "screen.evals",
        "evals",
        "EvalsScreen",
        "Every exam with its items, how sure its share is, and what could not be asked.",
    ),
    ScreenEntry(
        "log",
        "",
        "screen.log",
        "log",
        "LogScreen",
        "Everything that happened, by channel and by how much it matters.",
    ),
    ScreenEntry(
        "saga",
        "",
        "screen.saga",
        "saga",
        "SagaScreen",
        "The hero's story, day by day, in either voice.",
    ),
    ScreenEntry(
        "achievements",
        "",
        "screen.achievements",
        "achievements",
        "AchievementsScreen",
        "What was earned, when and by which fact, and how far the rest is.",
    ),
    ScreenEntry(
        "incidents",
        "",
        "screen.incidents",
        "incidents",
        "IncidentsScreen",
        "The bounty board: what goes wrong, since when, on what evidence, and the way out.",
    ),
    ScreenEntry(
        "jobs",
        "",
        "screen.jobs",
        "jobs",
        "JobsScreen",
        "Work beside training: exams asked elsewhere, files, archives, reports; what waits, runs and failed.",
    ),
    ScreenEntry(
        "heroes",
        "",
        "screen.heroes",
        "heroes",
        "HeroesScreen",
        "The heroes there are, and the hall of those whose campaigns ended.",
    ),
    ScreenEntry(
        "map",
        "",
        "screen.map",
        "map",
        "MapScreen",
        "The regions, what opens each, and where the hero stands.",
    ),
    ScreenEntry(
        "lore",
        "",
        "screen.lore",
        "lore",
        "LoreScreen",
        "Every word of the game explained, in either voice.",
    ),
    ScreenEntry(
        "gate",
        "",
        "screen.gate",
        "gate",
        "GateScreen",
        "A challenger against the champion on the same questions: one key crowns it, one takes the crown back.",
    ),
    ScreenEntry(
        "away",
        "",
        "screen.away",
        "away",
        "AwayScreen",
        "What happened while you were away, in order, with the best and the worst moment.",
    ),
)


def screen(screen_id: str) -> ScreenEntry:
    """The entry with that id; `KeyError` when there is none."""
    for one in SCREENS:
        if one.id == screen_id:
            return one
    raise KeyError(screen_id)
