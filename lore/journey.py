"""The journey: a whole campaign on one page, for its end or on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from configs import clock
from lore.away import AwayReport
from lore.figures import count, duration, number
from lore.lexicon import Voice
from lore.narrator import Tale, compose, tell
from lore.world import World
from lore.world_rules import named, world_rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """What a campaign was; None is unknown."""

    campaign: str
    created_at: float
    """UTC seconds."""
    archived_at: float | None
    parent: str | None
    """The campaign whose form it began with."""
    starting_step: int
    step: int
    steps: int
    active_s: float
    trained_tokens: int
    effort: float
    loss_first: float | None
    loss_last: float | None
    loss_lowest: float | None
    levels: Mapping[str, int]
    """Levels won, by skill; 0 where none was."""
    held: Mapping[str, int]
    effort_by_skill: Mapping[str, float]
    exams: int
    best_exam: float | None
    quests_completed: int
    quests_failed: int
    runs: int
    crashes: int
    incidents: int
    incidents_resolved: int
    champion: str | None
    caps: tuple[str, ...]
    """Evidence that a skill gains nothing more."""
    world: World | None = None
    earned: tuple[str, ...] = ()
    """Names of achievements, oldest first."""
    moments: Mapping[str, Tale] = field(default_factory=dict)
    """The ``best`` and the ``worst`` moment, where there are any."""

    def as_dict(self, hero: str) -> dict[str, Any]:
        """The machine form."""
        found = {k: v for k, v in asdict(self).items() if k not in ("world", "moments")}
        lines = [{"plain": tale.plain, "tavern": tale.tavern, "tone": tale.tone} for tale in self.lines(hero)]
        return {**found, "region": self.world.here if self.world is not None else None, "lines": lines}

    def lines(self, hero: str) -> list[Tale]:
        """The page line by line."""
        return _lines(self, hero)

    def text(self, hero: str, voice: Voice) -> list[str]:
        """The page's sentences in one voice."""
        return [line.text(voice) for line in self.lines(hero)]


def moments(report: AwayReport | None, hero: str) -> dict[str, Tale]:
    """The best and the worst event of a report, told."""
    if report is None:
        return {}
    found = {"best": report.best, "worst": report.worst}
    return {which: tell(event, hero) for which, event in found.items() if event is not None}


def _lines(j: Journey, hero: str) -> list[Tale]:
    at, out = j.archived_at or clock.now(), list[Tale]()

    def say(kind: str, which: str, **words: Any) -> None:
        out.append(compose(kind if "." in kind else f"journey.{kind}", which, at, {**words, "hero": hero}))

    begun = {"campaign": j.campaign, "day": f"{clock.utc(j.created_at):%Y-%m-%d}"}
    if j.parent is None:
        say("began", "newborn", **begun)
    else:
        say("began", "veteran", **begun, parent=j.parent, step=number(j.starting_step))
    if j.steps:
        say(
            "road",
            "trained",
            steps=count(j.steps, "step"),
            blows=count(j.steps, "blow"),
            tokens=count(j.trained_tokens, "token"),
            active=duration(j.active_s),
            effort=number(j.effort, 1),
        )
    else:
        say("road", "untrained")
    if j.loss_first is not None:
        losses = {"first": j.loss_first, "last": j.loss_last, "lowest": j.loss_lowest}
        say("loss", "measured", **{name: number(value, 2) for name, value in losses.items()})
    for skill, level in j.levels.items():
        words = {"skill": skill.upper(), "effort": number(j.effort_by_skill.get(skill, 0.0), 1)}
        say(
            "skill",
            "won" if level else "none",
            **words,
            level=level,
            levels=count(level, "level"),
            held=j.held.get(skill, 0),
        )
    if j.exams:
        best = "–" if j.best_exam is None else number(int(j.best_exam * 100) / 100, 2).removeprefix("0")
        say("exams", "taken", exams=count(j.exams, "exam"), trials=count(j.exams, "trial"), score=best)
    if j.quests_completed or j.quests_failed:
        say("quests", "done", quests=count(j.quests_completed, "quest"), failed=number(j.quests_failed))
    if j.champion is not None:
        say("champion", "crowned", name=j.champion)
    if j.runs:
        which = "fell" if j.crashes else "stood"
        say("falls", which, runs=count(j.runs, "run"), crashes=count(j.crashes, "crash", "crashes"))
    if j.incidents:
        say(
            "monsters",
            "seen",
            incidents=count(j.incidents, "incident"),
            monsters=count(j.incidents, "monster"),
            resolved=number(j.incidents_resolved),
        )
    _map(j, hero, at, out)
    if j.earned:
        say(
            "deeds", "counted", deeds=f"{len(j.earned)} ({', '.join(j.earned[-3:])}{' …' if len(j.earned) > 3 else ''})"
        )
    for which, tale in j.moments.items():
        say(f"away.{which}", which, plain=tale.plain, tavern=tale.tavern)
    for cap in j.caps:
        say("end", "capped", step=number(j.step), cap=cap)
    if j.archived_at is not None:
        say("end", "archived", day=f"{clock.utc(j.archived_at):%Y-%m-%d}", step=number(j.step))
    else:
        say("end", "open", step=number(j.step))
    return out


def _map(j: Journey, hero: str, at: float, out: list[Tale]) -> None:
    """Where the hero stands, and which guardians it has beaten; each name in its own voice."""
    if j.world is None:
        return
    world, regions = j.world, world_rules().regions
    words = {"hero": hero, "opened": len(world.unlocked), "regions": len(regions)}
    out.append(_both("journey.map", "here", at, words, "region", world.here))
    for boss, deed in world.bosses.items():
        out.append(_both("journey.guardian", "beaten", at, {"hero": hero, "step": number(deed.step)}, "boss", boss))


def _both(kind: str, which: str, at: float, words: Mapping[str, Any], chapter: str, name: str) -> Tale:
    plain = compose(kind, which, at, {**words, chapter: named(chapter, name, "plain")})
    tavern = compose(kind, which, at, {**words, chapter: named(chapter, name, "tavern")})
    return Tale(at, plain.plain, tavern.tavern, plain.tone, plain.icon, plain.ascii)
