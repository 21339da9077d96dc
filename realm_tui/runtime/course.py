"""The hero's course as it stands: settings, shares, the next decision, what is lost, what holding costs.

From the living engine where one answers, else from the newest checkpoint; before there is one, from the hero and the rules.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from configs.errors import BlockedError, RealmError, UsageError
from configs.paths import SaveFolder
from engine.curriculum import record
from engine.curriculum.forgetting import Budget, Regression
from engine.curriculum.presets import Settings, changed, of_preset
from engine.curriculum.presets import from_dict as settings_from
from engine.curriculum.progress import held_effort, multiplier
from engine.curriculum.sampling import horizon
from engine.curriculum.state import CurriculumState, start
from engine.curriculum.state import from_dict as state_from
from engine.curriculum.strategy import Decision, Rules, decide, preview, sharing, with_sampling
from lore.strain import Hint, hint
from realm_tui.runtime.opened import OpenedSave
from saves.rows import Decision as DecisionRow


@dataclass(frozen=True, slots=True)
class SkillCourse:
    """One skill on the course."""

    state: CurriculumState
    share: float
    """Of the steps from now on; under the bandit what it is sure of."""
    hint: Hint | None
    multiplier: float | None
    """Effort on what was won before, of all skills, over effort on this skill's new levels, since its attempt began."""
    regressed: tuple[Regression, ...]
    top: int
    """The horizon: highest level drawn."""


@dataclass(frozen=True, slots=True)
class CourseView:
    """The course at one step."""

    step: int
    live: bool
    """A living engine said so."""
    saved: bool
    """Read from the newest checkpoint, or said by the engine; otherwise nothing was trained yet."""
    settings: Settings
    weights: Mapping[str, float] | None
    """Shares the player set directly (`realm set --weight`); None: the strategy decides."""
    decision: Decision
    budget: Budget
    skills: Mapping[str, SkillCourse]
    seed: int
    findings: tuple[DecisionRow, ...]
    """The newest evidence that a level is beyond reach, one per skill."""

    def preview(self, rules: Rules, count: int) -> dict[str, int]:
        """How many of the next ``count`` steps each skill would get."""
        states = {skill: one.state for skill, one in self.skills.items()}
        return preview(self.settings, states, rules, self.weights, seed=self.seed, step=self.step + 1, count=count)


def course(save: OpenedSave, *, ask_engine: bool = True) -> CourseView:
    """Read the course of the active campaign."""
    found = _from_engine(save) if ask_engine else None
    live = found is not None
    found = found or _from_checkpoint(save)
    return _view(save, live, found is not None, *(found or _fresh(save)))


def what_if(save: OpenedSave, view: CourseView, change: Mapping[str, Any]) -> CourseView:
    """The course as it would be after a change; nothing is changed.

    Raises:
        UsageError: the change cannot be.
    """
    states = {skill: one.state for skill, one in view.skills.items()}
    settings = changed(view.settings, change, {s: state.max_level for s, state in states.items()})
    states = with_sampling(states, settings)
    after = _view(save, view.live, view.saved, view.step, settings, None, states, {})
    skills = {s: replace(one, hint=view.skills[s].hint) for s, one in after.skills.items()}
    return replace(after, skills=skills)


_Read = tuple[int, Settings, Mapping[str, float] | None, dict[str, CurriculumState], Mapping[str, Any]]


def _from_engine(save: OpenedSave) -> _Read | None:
    from engine.link.client import engine_alive
    from engine.link.protocol import Verb
    from realm_tui.runtime.orders import order

    if not engine_alive(save.folder):
        return None
    try:
        reply = order(save.folder, Verb.COURSE, {})
    except RealmError:
        return None  # it just ends, or is of another version: the checkpoint tells
    told = reply.result
    states = {skill: state_from(one) for skill, one in told["skills"].items()}
    return reply.step or 0, settings_from(told["settings"]), told["weights"], states, told["trackers"]


def _from_checkpoint(save: OpenedSave) -> _Read | None:
    from engine.trainer.values import Values
    from saves import ledger

    newest = ledger.newest_checkpoint(save.conn, save.campaign.id)
    if newest is None:
        return None
    path = ledger.folder_of(save.folder, newest) / "trainer" / "state.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        values, trackers = Values.from_dict(data["values"]), data["trackers"]
    except (OSError, ValueError, KeyError):
        return None
    settings = values.settings or of_preset(save.rules.strategy.preset, list(values.curricula))
    return values.step, settings, values.weights, values.curricula, trackers


def _fresh(save: OpenedSave) -> _Read:
    from skills.registry import get_skill

    states = {
        skill: start(skill, mix, get_skill(skill).config.max_level, save.rules.exams)
        for skill, mix in save.hero.skills.items()
    }
    return save.campaign.starting_step, of_preset(save.rules.strategy.preset, list(states)), None, states, {}


def _view(
    save: OpenedSave,
    live: bool,
    saved: bool,
    step: int,
    settings: Settings,
    weights: Mapping[str, float] | None,
    states: dict[str, CurriculumState],
    trackers: Mapping[str, Any],
) -> CourseView:
    from saves import decisions

    rules = Rules.of(save.rules)
    made = decide(settings, states, rules, weights, seed=save.campaign.seed, step=step + 1)
    shares = made.shares if weights is not None else sharing(settings, states, rules).shares
    held = held_effort(states)
    skills = {
        skill: SkillCourse(
            state=state,
            share=shares.get(skill, 0.0),
            hint=_hint(save, trackers.get(skill)),
            multiplier=multiplier(held - state.attempt.effort_held, state.effort_new - state.attempt.effort_new),
            regressed=record.regressed(save.conn, save.campaign.id, skill, save.rules),
            top=horizon(state, rules.curriculum),
        )
        for skill, state in states.items()
    }
    found = {
        row.skill: row
        for row in reversed(decisions.recent_decisions(save.conn, save.campaign.id, kind="maxed", limit=20))
    }
    return CourseView(
        step, live, saved, settings, weights, made, made.budget, skills,
        save.campaign.seed, tuple(found.values()),
    )  # fmt: skip


def _hint(save: OpenedSave, tracker: Mapping[str, Any] | None) -> Hint | None:
    if tracker is None or tracker.get("floor") is None:
        return None
    return hint(tracker["history"], save.rules.strain, rate=tracker["rate"] if tracker["samples"] >= 2 else None)


@dataclass(frozen=True, slots=True)
class PeakExam:
    """A level asked of the form that won it and of the hero now, on the same questions."""

    level: int
    form: str
    then: tuple[int, int]
    """Right answers and questions of the form that won it."""
    now: tuple[int, int]
    gain: float
    interval: tuple[float, float]
    """Of the gain, valid while one looks."""
    finding: str

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def peak_exams(
    folder: SaveFolder, skill: str, level: int | None, items: int, *, progress: Callable[[str], None] | None = None
) -> list[PeakExam]:
    """Ask levels of the forms that won them and of the hero now; without ``level`` those that stand below their peak.

    Raises:
        UsageError: the hero does not train that skill.
        BlockedError: no engine runs, or the form that won a level is gone.
    """
    from engine.link.protocol import Verb
    from realm_tui.runtime.opened import opened
    from realm_tui.runtime.orders import order
    from saves import exams, ledger

    with opened(folder) as save:
        if skill not in save.hero.skills:
            raise UsageError(
                f"this hero does not train {skill}",
                fix=f"it trains {', '.join(save.hero.skills)}",
                code="UNKNOWN_SKILL",
            )
        fallen = {r.level for r in record.regressed(save.conn, save.campaign.id, skill, save.rules)}
        wanted = fallen if level is None else {level}
        forms = {
            won.to_level: ledger.checkpoint(save.conn, won.checkpoint_id)
            for won in exams.level_ups(save.conn, save.campaign.id, skill=skill)
            if won.to_level in wanted
        }
    found = []
    for at, form in sorted(forms.items()):
        if form.deleted_at is not None:
            raise BlockedError(
                f"the form that won level {at} is gone", fix="choose another level (`--level`)", code="FORM_GONE"
            )
        args = {"skill": skill, "level": at, "items": items, "against": form.name}
        (pair,) = order(folder, Verb.EXAM, args, progress=progress).result["pairs"]
        right = {
            "then": (pair["both"] + pair["worse"], pair["items"]),
            "now": (pair["both"] + pair["better"], pair["items"]),
        }
        low, high = pair["interval"]
        found.append(
            PeakExam(at, form.name, **right, gain=pair["gain"] or 0.0, interval=(low, high), finding=pair["finding"])
        )
    return found
