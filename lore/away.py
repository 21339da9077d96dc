"""While you were away: what happened since the last look, told from rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from configs.schema import ZONES, ExamRules, Zone
from lore.events import CLOSED, Chapter, Event, events
from lore.figures import count, duration, levels, number, share
from lore.hero import hero_level
from lore.lexicon import Voice, label
from lore.narrator import Tale, compose, tell
from saves.rows import Hold, Incident, Run, StepWindow


@dataclass(frozen=True, slots=True)
class Mark:
    """What the player saw at a look; kept in the save until the next one."""

    at: float
    """UTC seconds."""
    step: int
    """Last finished step of the campaign."""
    mastered: Mapping[str, int] = field(default_factory=dict)
    """Level won per skill."""

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {"at": self.at, "step": self.step, "mastered": dict(self.mastered)}

    @classmethod
    def from_dict(cls, value: object) -> Mark | None:
        """The mark in a JSON value; None when there is none or it is not one."""
        if not isinstance(value, Mapping):
            return None
        at, step, mastered = value.get("at"), value.get("step"), value.get("mastered", {})
        if not isinstance(at, (int, float)) or not isinstance(step, int) or not isinstance(mastered, Mapping):
            return None
        return cls(float(at), step, {str(k): v for k, v in mastered.items() if isinstance(v, int)})


@dataclass(frozen=True, slots=True, kw_only=True)
class AwayReport:
    """The facts between two looks. Counts are of live facts; None is unknown."""

    before: Mark
    now: Mark
    steps: int
    """Steps gained; what was trained twice after a fall counts once."""
    active_s: float
    """Seconds spent training."""
    tokens: int
    effort: float
    loss_from: float | None
    """Mean loss of the first window of forged drills in the time, and of the last one."""
    loss_to: float | None
    zone: Zone | None
    """Where most steps were."""
    won: Mapping[str, tuple[int, int]]
    """Skill to its mastered level before and now, where it rose."""
    lost: Mapping[str, tuple[int, ...]]
    """Skill to mastered levels whose latest screening in the time found them lost."""
    exams: int
    """Exams of the gate; those on command are not counted."""
    exams_passed: int
    best_exam: Event | None
    checkpoints: int
    newest_checkpoint_step: int | None
    champions: tuple[Event, ...]
    quests: tuple[Event, ...]
    """Quests of the player's that were completed, failed or skipped."""
    falls: tuple[Event, ...]
    steps_left_behind: int
    open_incidents: tuple[Incident, ...]
    """Incidents that appeared or came again in the time and are still open."""
    best: Event | None
    worst: Event | None

    @property
    def anything(self) -> bool:
        """Whether there is something to tell."""
        counted = self.steps + self.exams + self.checkpoints + len(self.champions) + len(self.quests)
        return counted + len(self.falls) + len(self.open_incidents) > 0

    def lines(self, hero: str) -> list[Tale]:
        """The report line by line, most telling first."""
        return _lines(self, hero)

    def text(self, hero: str, voice: Voice) -> list[str]:
        """The report's sentences in one voice."""
        return [line.text(voice) for line in self.lines(hero)]


def away_report(before: Mark | None, now: Mark, chapter: Chapter, exam_rules: ExamRules) -> AwayReport | None:
    """What happened between two looks.

    Args:
        before: the last look; None when there was none (then there is no report).
        now: this look.
        chapter: at least the rows later than ``before.at``; older ones are left out here.
        exam_rules: what passes an exam.
    """
    if before is None:
        return None
    told = [e for e in events(chapter, exam_rules, since=before.at) if e.at <= now.at]
    parts = [(w, _part(w, before)) for w in chapter.windows if w.last_at > before.at]
    gates = [e for e in told if e.type == "exam.taken" and e.data["kind"] == "gate" and e.data["items"]]
    saved = [e for e in told if e.type == "checkpoint.saved"]
    loss_from, loss_to = _losses([w for w, part in parts if part > 0])
    return AwayReport(
        before=before,
        now=now,
        steps=max(0, now.step - before.step),
        active_s=math.fsum(w.active_s * part for w, part in parts),
        tokens=round(math.fsum(w.tokens * part for w, part in parts)),
        effort=math.fsum(w.strain_sum * part for w, part in parts),
        loss_from=loss_from,
        loss_to=loss_to,
        zone=_zone(parts),
        won={
            skill: (before.mastered.get(skill, 0), level)
            for skill, level in sorted(now.mastered.items())
            if level > before.mastered.get(skill, 0)
        },
        lost=_lost(h for h in chapter.holds if before.at < h.at <= now.at),
        exams=len(gates),
        exams_passed=sum(e.data["passed"] for e in gates),
        best_exam=max(gates, key=_finest, default=None),
        checkpoints=len(saved),
        newest_checkpoint_step=max((e.step for e in saved if e.step is not None), default=None),
        champions=tuple(e for e in told if e.type == "champion.crowned"),
        quests=tuple(e for e in told if e.type in ("quest.completed", "quest.failed", "quest.abandoned")),
        falls=tuple(e for e in told if e.type == "training.crashed"),
        steps_left_behind=_left_behind([*chapter.runs], before.at),
        open_incidents=tuple(i for i in chapter.incidents if i.last_at > before.at and i.status not in CLOSED),
        best=_moment(told, gates, _GOOD),
        worst=_moment(told, gates, _BAD),
    )


def _part(window: StepWindow, before: Mark) -> float:
    """The share of a window's steps that were not yet seen."""
    return min(1.0, max(0.0, (window.last_step - before.step) / (window.last_step - window.first_step + 1)))


def _losses(windows: Sequence[StepWindow]) -> tuple[float | None, float | None]:
    drills = [w for w in windows if w.quest_attempt_id is None and w.steps > w.nonfinite]
    same = sorted((w for w in drills if w.skill == drills[-1].skill), key=lambda w: w.first_step) if drills else []
    if not same:
        return None, None
    first, last = same[0], same[-1]
    return first.loss_sum / (first.steps - first.nonfinite), last.loss_sum / (last.steps - last.nonfinite)


def _zone(parts: Iterable[tuple[StepWindow, float]]) -> Zone | None:
    sums = dict.fromkeys(ZONES, 0.0)
    for window, part in parts:
        for zone in ZONES:
            sums[zone] += part * int(getattr(window, f"zone_{zone}"))
    most = max(ZONES, key=lambda z: sums[z])
    return most if sums[most] > 0 else None


def _lost(holds: Iterable[Hold]) -> dict[str, tuple[int, ...]]:
    latest: dict[tuple[str, int], Hold] = {}
    for hold in sorted(holds, key=lambda h: (h.step, h.id)):
        latest[hold.skill, hold.level] = hold
    gone = sorted(key for key, hold in latest.items() if hold.lost)
    return {skill: tuple(level for s, level in gone if s == skill) for skill, _ in gone}


def _left_behind(runs: Sequence[Run], since: float) -> int:
    """Steps that runs begun after ``since`` did not take over from the run before them."""
    by_id = {r.id: r for r in runs}
    total = 0
    for run in runs:
        parent = by_id.get(run.parent_run_id or 0)
        if parent is not None and parent.last_step is not None and run.started_at > since:
            total += max(0, parent.last_step - run.first_step)
    return total


# ---------------------------------------------------------------- moments

_GOOD = ("hero.skill_level_up", "champion.crowned", "quest.completed", "exam.taken", "hero.level_up")
_BAD = ("system.incident", "training.crashed", "skill.lost", "quest.failed", "exam.taken")
"""Kinds of events from the most to the least telling."""
_SEVERITIES = ("low", "medium", "high", "critical")


def _share(event: Event) -> float:
    return float(event.data["correct"] / event.data["items"])


def _finest(event: Event) -> tuple[bool, int, float]:
    """How good an exam was: passed, then its level, then its share."""
    return event.data["passed"], event.data["level"], _share(event)


def _worth(event: Event) -> float:
    """How telling an event is among its own kind."""
    data = event.data
    match event.type:
        case "hero.skill_level_up" | "hero.level_up":
            return float(data["level"])
        case "quest.completed":
            known = data["loss_before"] is not None and data["loss_after"] is not None
            return data["loss_before"] - data["loss_after"] if known else 0.0
        case "skill.lost":
            return float(len(data["levels"]))
        case "system.incident":
            return 10.0 * bool(data["blocks"]) + _SEVERITIES.index(data["severity"])
    return 0.0


def _moment(told: Sequence[Event], gates: Sequence[Event], kinds: tuple[str, ...]) -> Event | None:
    """The most telling event of the first kind that occurred; of equal ones the latest."""
    passed = kinds is _GOOD
    for kind in kinds:
        if kind == "exam.taken":
            sat = [e for e in gates if e.data["passed"] is passed]
            found = max(sat, key=_finest, default=None) if passed else min(sat, key=_share, default=None)
        else:
            found = max((e for e in reversed(told) if e.type == kind), key=_worth, default=None)
        if found is not None:
            return found
    return None


# ---------------------------------------------------------------- lines


def _lines(report: AwayReport, hero: str) -> list[Tale]:
    at, out = report.now.at, list[Tale]()

    def say(kind: str, which: str, **words: Any) -> None:
        out.append(compose(f"away.{kind}", which, at, {**words, "hero": hero}))

    elapsed = duration(report.now.at - report.before.at)
    say("time", "trained" if report.active_s > 0 else "idle", duration=elapsed, active=duration(report.active_s))
    if report.steps:
        level = hero_level(report.now.step)
        say(
            "steps",
            "level" if level > hero_level(report.before.step) else "same",
            steps=count(report.steps, "step"),
            blows=count(report.steps, "blow"),
            tokens=count(report.tokens, "token"),
            step=number(report.now.step),
            level=level,
        )
    for skill, (first, last) in report.won.items():
        say("levels", "won", skill=skill.upper(), first=first, last=last)
    for skill, gone in report.lost.items():
        say("lost", "lost", skill=skill.upper(), levels=levels(list(gone)))
    if report.best_exam is not None:
        data = report.best_exam.data
        say(
            "exams",
            "passed" if report.exams_passed else "failed",
            exams=count(report.exams, "exam"),
            trials=count(report.exams, "trial"),
            passed=number(report.exams_passed),
            skill=str(data["skill"]).upper(),
            level=data["level"],
            score=share(data["correct"], data["items"]),
        )
    if report.loss_from is not None and report.loss_to is not None:
        losses = {"loss_from": number(report.loss_from, 2), "loss_to": number(report.loss_to, 2)}
        if report.zone is None:
            say("strain", "unknown", **losses)
        else:
            say("strain", "known", **losses, zone=label(f"zone.{report.zone}"), effort=number(report.effort, 1))
    out.extend(tell(event, hero) for event in (*report.quests, *report.champions))
    if report.checkpoints:
        say(
            "checkpoints",
            "saved",
            checkpoints=count(report.checkpoints, "checkpoint"),
            anchors=count(report.checkpoints, "anchor"),
            step=number(report.newest_checkpoint_step),
        )
    if report.falls:
        say(
            "falls",
            "steps_lost" if report.steps_left_behind else "nothing_lost",
            crashes=count(len(report.falls), "crash", "crashes"),
            falls=count(len(report.falls), "time"),
            steps=count(report.steps_left_behind, "step"),
            blows=count(report.steps_left_behind, "blow"),
        )
    for which, event in (("best", report.best), ("worst", report.worst)):
        if event is not None:
            tale = tell(event, hero)
            say(which, which, plain=tale.plain, tavern=tale.tavern)
    for incident in report.open_incidents:
        say(
            "open",
            "open",
            severity=incident.severity,
            monster=label(f"incident.{incident.severity}"),
            title=incident.title.rstrip("."),
            fix=incident.fix.rstrip("."),
        )
    return out
