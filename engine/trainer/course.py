"""The hero's course: which skill trains next and why, what holding costs, and what is written down of it.

Every decision is a pure function of the counters in a checkpoint; the rows written here are for people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from configs import clock
from configs.errors import UsageError
from engine.curriculum.forgetting import budget_of
from engine.curriculum.presets import Settings, changed, of_preset
from engine.curriculum.progress import with_effort
from engine.curriculum.sampling import effort_shares
from engine.curriculum.strategy import Decision, Rules, decide, next_skill, with_sampling
from saves import decisions
from saves.rows import Decision as DecisionRow

if TYPE_CHECKING:
    from engine.step import StepOutcome
    from engine.trainer.game import Game
    from engine.trainer.practice import Round


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
        }

    # ---------------------------------------------------------------- after a step

    def stepped(self, skill: str, practice: Round, outcome: StepOutcome, strain: float | None) -> None:
        """Put the step's strain down to levels not yet won, and to those won before."""
        if strain is None or not practice.draws or self._game.board.quest is not None:
            return
        state = self._game.values.curricula[skill]
        shares = effort_shares(state, practice.draws, outcome.matches[-len(practice.draws) :])
        self._game.values.curricula[skill] = with_effort(state, strain, shares)

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

    @property
    def budget(self) -> str:
        """The forgetting budget in words."""
        return budget_of(self._game.values.curricula.values(), self._game.rules.forgetting).text()
