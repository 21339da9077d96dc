"""The hero's course: which skill trains next and why, what holding costs, and what is written down of it.

Every decision is a pure function of the counters in a checkpoint; the rows written here are for people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from configs import clock
from configs.errors import RealmError, UsageError
from engine.curriculum import record
from engine.curriculum.presets import Settings, changed, of_preset
from engine.curriculum.primitives import profile, remembered
from engine.curriculum.progress import Attempted, attempt_over, end_attempt, fruitless, maxed, with_effort
from engine.curriculum.remediation import DRILLS, DrillOrder, drill_for, prescribe
from engine.curriculum.sampling import effort_shares
from engine.curriculum.state import start
from engine.curriculum.strategy import Decision, Rules, decide, kept, next_skill, with_sampling
from saves import decisions, exams, incidents, steps
from saves.rows import Decision as DecisionRow
from skills.registry import get_skill

if TYPE_CHECKING:
    from engine.curriculum.examination import Decided
    from engine.curriculum.state import CurriculumState
    from engine.step import StepOutcome
    from engine.trainer.game import Game
    from engine.trainer.practice import Round
    from skills.contract import Skill


def drills_skill() -> Skill | None:
    """The catalogue's drills; None where they are disabled."""
    try:
        return get_skill(DRILLS)
    except RealmError:
        return None


class Course:
    """What a `Game` learns in which order."""

    def __init__(self, game: Game) -> None:
        self._game = game
        self._rules = Rules.of(game.rules)

    # ---------------------------------------------------------------- choosing

    @property
    def settings(self) -> Settings:
        """What holds; the rules' preset until something was chosen."""
        values = self._game.values
        if values.settings is None:
            values.settings = of_preset(self._game.rules.strategy.preset, list(values.curricula))
        return values.settings

    def skill_of(self, step: int) -> str:
        """The skill that step ``step`` trains."""
        values = self._game.values
        return next_skill(
            self.settings, values.curricula, self._rules, values.weights, seed=self._game.campaign.seed, step=step
        )

    def decision(self) -> Decision:
        """What the next step trains, and why."""
        values = self._game.values
        return decide(
            self.settings,
            values.curricula,
            self._rules,
            values.weights,
            seed=self._game.campaign.seed,
            step=values.step + 1,
        )

    def changed(self, change: Any) -> Settings:
        """The settings after a player's change; `UsageError` when it cannot be."""
        if not isinstance(change, dict):
            raise UsageError(
                "a curriculum is changed by named settings",
                fix="see `realm curriculum set --help`",
                code="BAD_ARGUMENT",
            )
        return changed(self.settings, change, {s: state.max_level for s, state in self._game.values.curricula.items()})

    def apply(self) -> None:
        """Let the settings hold from the next step on, and note the decision."""
        values = self._game.values
        values.curricula = with_sampling(values.curricula, self.settings)
        self.note()

    def begin(self) -> None:
        """Before the first step of a run."""
        self.apply()

    def as_dict(self) -> dict[str, Any]:
        """What holds and what comes next, as plain JSON values."""
        values = self._game.values
        return {
            "settings": self.settings.as_dict(),
            "weights": values.weights,
            "next": self.decision().as_dict(),
            "skills": {skill: state.as_dict() for skill, state in values.curricula.items()},
            "trackers": {s: self._game.trackers[s].state() for s in values.curricula if s in self._game.trackers},
        }

    # ---------------------------------------------------------------- after a step

    def stepped(self, skill: str, practice: Round, outcome: StepOutcome, strain: float | None) -> None:
        """Put the step's strain down to levels not yet won, and to those won before."""
        if strain is None or not practice.draws or self._game.board.quest is not None:
            return
        state = self._game.state_of(skill)
        shares = effort_shares(state, practice.draws, outcome.matches[-len(practice.draws) :])
        self._game.keep(with_effort(state, strain, shares))

    # ---------------------------------------------------------------- after an exam

    def others(self, skill: str) -> dict[str, CurriculumState]:
        """The other skills in training that have levels to hold."""
        found = kept(self._game.values.curricula, self.settings)
        return {name: state for name, state in found.items() if name != skill and state.mastered}

    def examined(self, skill: str, outcome: Decided) -> None:
        """After an exam and its verdict: end the attempt where it is over, look for evidence, note what comes next."""
        game = self._game
        self._remember_primitives(outcome.exam_id)
        state, won = game.values.curricula[skill], outcome.verdict.action == "level_up"
        rules = game.rules.forgetting
        if won or attempt_over(state, rules):
            game.values.curricula[skill], ended = end_attempt(
                state,
                game.values.curricula,
                level=outcome.verdict.level,
                won=won,
                step=game.values.step,
                regressed=self._regressed(),
            )
            self.write("attempt", ended.text, self._price(ended), skill=skill, detail=ended.as_dict())
            if not won:
                self._look_for_the_cap(ended)
                self._advise()
        self.note()

    def _regressed(self) -> list[str]:
        """Levels in training that are lost, or proved to be below their peak."""
        game, found = self._game, []
        for skill, state in kept(game.values.curricula, self.settings).items():
            fallen = record.regressed(game.conn, game.campaign.id, skill, game.rules)
            levels = {*state.lost, *(r.level for r in fallen if r.proved)}
            found += [f"{skill} L{level}" for level in sorted(levels)]
        return found

    @staticmethod
    def _price(ended: Attempted) -> str:
        return f"below its peak or lost: {', '.join(ended.regressed)}" if ended.regressed else "nothing won was lost"

    def _look_for_the_cap(self, ended: Attempted) -> None:
        """Say so where a larger gain is ruled out; nothing is stopped."""
        game, skill, level = self._game, ended.skill, ended.level
        attempts = record.attempts(game.conn, game.campaign.id, skill)
        since = min(one.first_step for one in [ended, *fruitless(attempts, level, game.rules.forgetting)])
        taken = record.gate_exams(game.conn, game.campaign.id, skill, level, since)
        tokens = steps.trained_tokens(game.conn, game.campaign.id, since, game.values.step)
        found = maxed(
            skill, level, taken, attempts, game.rules.forgetting, tokens=tokens or None, alpha=game.rules.exams.alpha
        )
        if found is None:
            return
        self.write(
            "maxed" if found.proved else "plateau", found.text, found.suggestion, skill=skill, detail=found.as_dict()
        )
        if found.proved:
            incidents.raise_incident(
                game.conn,
                "maxed_out",
                category="training",
                severity="low",
                title=found.text,
                fix=found.suggestion,
                detail=found.as_dict(),
                run_id=game.run_id,
                step=game.values.step,
            )

    # ---------------------------------------------------------------- primitives and their drills

    def _remember_primitives(self, exam_id: int) -> None:
        """Take in what a gate exam said of primitives."""
        game, rules = self._game, self._game.rules.primitives
        paper = exams.exam(game.conn, exam_id)
        if paper is None or not paper.primitives:
            return
        game.values.primitives = remembered(
            game.values.primitives, paper.primitives, rules, step=paper.step, skill=paper.skill, level=paper.level
        )

    def _advise(self) -> None:
        """After an attempt without the level: say which drill is due."""
        advised = None if self._game.rules.primitives.remedy == "off" else self.remedy()
        if advised is not None:
            self.write("remedy", advised.text, advised.reason, skill=advised.skill, detail=advised.as_dict())

    def remedy(self) -> DrillOrder | None:
        """The drill that the newest exams advise; None where no primitive is weak, or nothing drills it."""
        game, rules = self._game, self._game.rules.primitives
        standing = profile(game.values.primitives, rules, game.rules.exams.alpha)
        found = prescribe(standing, rules, last=game.values.last_drilled)
        try:
            return None if found is None else self.drill_order(found[0].primitive, reason=found[1])
        except RealmError:
            return None

    def drill_order(self, primitive: str, *, reason: str, steps: int | None = None) -> DrillOrder:
        """The drill for a primitive; `UsageError` where nothing drills it, `RealmError` where a skill's own code fails."""
        game = self._game
        trained = {skill: (game.forge.skills[skill][0], state) for skill, state in game.values.curricula.items()}
        return drill_for(primitive, trained, drills_skill(), game.rules.primitives, reason, steps=steps)

    def next_drill(self) -> DrillOrder | None:
        """The drill that the next forged quest is; None: it is what the curriculum draws."""
        values, rules = self._game.values, self._game.rules.primitives
        order = values.drills.pop(0) if values.drills else None
        if order is None and rules.remedy == "drill" and values.forged % rules.drill_every == 0:
            order = self.remedy()
            if order is not None and order.primitive in values.undrillable:
                order = None
        if order is not None:
            values.last_drilled = order.primitive
            if order.skill not in values.curricula and order.skill not in values.guests:
                last = get_skill(order.skill).config.max_level
                values.guests[order.skill] = start(order.skill, order.mix, last, self._game.rules.exams)
            self.write("drill", order.text, order.reason, skill=order.skill, detail=order.as_dict())
        return order

    # ---------------------------------------------------------------- what is written down

    def note(self) -> None:
        """Write the decision down, unless the newest one says the same."""
        game, made = self._game, self.decision()
        newest = decisions.latest_decision(game.conn, game.campaign.id, kind="strategy")
        if newest is not None and (newest.strategy, newest.decision, newest.reason) == (
            made.strategy,
            made.plan,
            made.reason,
        ):
            return
        self.write("strategy", made.plan, made.reason, skill=made.skill, detail=made.as_dict())

    def write(
        self, kind: str, decision: str, reason: str, *, skill: str = "", detail: dict[str, Any] | None = None
    ) -> None:
        """Write one decision, or one finding, down."""
        game = self._game
        decisions.add_decision(
            game.conn,
            DecisionRow(
                run_id=game.run_id,
                step=game.values.step,
                kind=kind,
                skill=skill,
                strategy=self.settings.strategy if game.values.weights is None else "shares",
                decision=decision,
                reason=reason,
                detail=detail or {},
                at=clock.now(),
            ),
        )
