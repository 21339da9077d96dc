"""Forged quests: stretches of problems that the engine makes itself, as the curriculum draws them or as drills of one primitive."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from configs.errors import RealmError
from engine.trainer.practice import describe, recipe
from engine.trainer.unmade import report_left
from engine.trainer.values import Drill
from saves import forged

if TYPE_CHECKING:
    from engine.trainer.game import Game


class Drills:
    """The forged quest under way, in a `Game`."""

    def __init__(self, game: Game) -> None:
        self._game = game

    @property
    def over(self) -> bool:
        """Whether the one under way has had all its steps."""
        values = self._game.values
        return values.drill is not None and self._left(values.drill) <= 0

    def begin(self) -> None:
        """Forge the next one."""
        game, values = self._game, self._game.values
        values.forged += 1
        values.drill = Drill(0, "", values.step + 1, "", game.course.next_drill())
        self._row(values.drill, values.step + 1)
        game.course.note()
        self.show()

    def again(self) -> None:
        """After a resume in the middle of one: a row of this run for the rest of it."""
        drill = self._game.values.drill
        if drill is not None:
            self._row(drill, self._game.values.step + 1)
            self.show()

    def end(self, state: str) -> None:
        """Close the one under way, if any; what an interrupted drill of a primitive lacks waits to be done."""
        values = self._game.values
        drill = values.drill
        if drill is None:
            return
        forged.finish_forged(self._game.conn, drill.forged_id, state, last_step=values.step)
        left = self._left(drill)
        if drill.order is not None and state == "interrupted" and left > 0:
            values.drills.insert(0, replace(drill.order, steps=left))
        values.drill = None

    def give_up(self, error: RealmError) -> bool:
        """Leave a drill of a primitive of which nothing could be made, and say so; False where none is under way."""
        values = self._game.values
        drill = values.drill
        if drill is None or drill.order is None or values.quest is not None:
            return False
        values.undrillable = sorted({*values.undrillable, drill.order.primitive})
        report_left(self._game, drill.skill, drill.name, error)
        self.end("skipped")
        return True

    def leave_level(self) -> None:
        """After a level-up: what was forged for the old level is done; a drill of a primitive goes on."""
        drill = self._game.values.drill
        if drill is not None and drill.order is None:
            self.end("completed")

    def leave(self) -> None:
        """The engine stops: the row ends, and the next run goes on."""
        values = self._game.values
        if values.drill is not None:
            forged.finish_forged(self._game.conn, values.drill.forged_id, "interrupted", last_step=values.step)

    def show(self) -> None:
        """Show the one under way."""
        drill = self._game.values.drill
        if drill is not None:
            self._game.recorder.show(
                quest=drill.name,
                quest_id=None,
                quest_step=self._game.board.position,
                quest_steps=self._steps(drill),
                held_out_loss=None,
            )

    def _row(self, drill: Drill, first_step: int) -> None:
        """Begin the row of a forged quest, and name it."""
        game = self._game
        if drill.order is not None:
            drill.skill, drill.name = drill.order.skill, drill.order.name
            made = {**drill.order.as_dict(), "seed": game.campaign.seed, "first_step": drill.first_step}
        else:
            state = game.values.curricula[drill.skill] if drill.skill else game.focus()
            mix = game.forge.skills[state.skill][1]
            made = recipe(state, mix, game.campaign.seed, drill.first_step, self._steps(drill))
            drill.name = drill.name or describe(state)
            drill.skill = state.skill
        drill.forged_id = forged.start_forged(game.conn, game.run_id, drill.skill, made, first_step=first_step)

    def _steps(self, drill: Drill) -> int:
        return drill.order.steps if drill.order is not None else self._game.rules.curriculum.drill_steps

    def _left(self, drill: Drill) -> int:
        return self._steps(drill) - (self._game.values.step - drill.first_step + 1)
