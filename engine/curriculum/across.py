"""Holding over several skills at once: before a level-up in one of them, the levels won in the others are asked as well.

A lost level of the skill's own blocks its level-up outright. Of the levels of other skills so many may be lost as the
forgetting budget allows; beyond it the level-up waits until they are found again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from configs.curriculum import ForgettingRules
from configs.schema import ExamRules
from engine.curriculum.forgetting import budget_of
from engine.curriculum.gate import ExamPlan, Hold, Screening, Verdict, record_screen, screened, with_holds
from engine.curriculum.state import CurriculumState, Tally
from skills.contract import Skill


@dataclass(frozen=True, slots=True)
class Watch:
    """The other skills' screenings at one step."""

    states: Mapping[str, CurriculumState]
    skills: Mapping[str, Skill]
    rules: ExamRules
    screenings: Mapping[str, Screening] = field(default_factory=dict)

    def plans(self) -> list[ExamPlan]:
        """What is still to be asked; empty when all is known."""
        return [plan for skill in self.states for plan in self._screened(skill)[0]]

    def told(self, plan: ExamPlan, tally: Tally) -> Watch:
        """After one of the plans was asked."""
        state, screening = record_screen(
            self.states[plan.skill], self.screenings.get(plan.skill, Screening()), plan, tally
        )
        return replace(
            self,
            states={**self.states, plan.skill: state},
            screenings={**self.screenings, plan.skill: screening},
        )

    def holds(self) -> dict[str, tuple[Hold, ...]]:
        """How the levels stand that were asked, by skill."""
        return {skill: tuple(self._screened(skill)[1]) for skill in self.screenings}

    def settled(self) -> dict[str, CurriculumState]:
        """The records of the skills that were asked, with levels lost or found again."""
        return {skill: with_holds(self.states[skill], holds) for skill, holds in self.holds().items()}

    def judged(self, verdict: Verdict, state: CurriculumState, rules: ForgettingRules) -> Verdict:
        """The gate's verdict on ``state`` with the other skills' levels in view."""
        after = {**self.states, **self.settled()}
        spent = budget_of([with_holds(state, verdict.holds), *after.values()], rules)
        elsewhere = any(other.lost for other in after.values())
        return replace(verdict, action="forgotten") if spent.exceeded and elsewhere else verdict

    def _screened(self, skill: str) -> tuple[list[ExamPlan], list[Hold]]:
        state = self.states[skill]
        levels = range(1, state.mastered + 1)
        return screened(state, self.skills[skill], self.rules, self.screenings.get(skill, Screening()), levels)
