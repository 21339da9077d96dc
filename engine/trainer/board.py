"""What the hero works on now: a player's quest from the board if one waits, else a forged drill."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from configs import clock
from configs.errors import RealmError
from engine.curriculum.state import CurriculumState
from engine.quests.board import scan_inbox
from engine.quests.masking import MaskReport
from engine.quests.reader import ExampleReader
from engine.trainer.drills import Drills
from engine.trainer.measure import held_out_loss, sample_answers
from engine.trainer.memory_guard import SMALLER_PASSES
from engine.trainer.outside import ANSWERS
from engine.trainer.practice import QuestPractice, Round
from engine.trainer.values import QuestCursor
from saves import incidents, journal, quests
from saves.database import transaction
from saves.rows import JournalEntry, Quest

if TYPE_CHECKING:
    from engine.trainer.game import Game

DRAW = "draw_quest"
"""Journal verb: a quest was taken from the board after the entry's step."""


class Board:
    """The quest or drill under way, in a `Game`."""

    def __init__(self, game: Game) -> None:
        self._game = game
        self.drills = Drills(game)
        self.quest: QuestPractice | None = None
        self._seen_version: int | None = None
        self._reader = ExampleReader(game.hero.config, game.hero.template, game.forge.system)

    # ---------------------------------------------------------------- what is under way

    @property
    def attempt_id(self) -> int | None:
        """The attempt at a player's quest; None while a drill runs."""
        cursor = self._game.values.quest
        return cursor.attempt_id if cursor else None

    @property
    def position(self) -> int | None:
        """Steps done of the quest or drill."""
        values = self._game.values
        if values.quest is not None:
            return values.quest.position
        return values.step - values.drill.first_step + 1 if values.drill else None

    def tracker_of(self, skill: str) -> tuple[str, float | None]:
        """Which strain tracker the next loss belongs to, and its floor."""
        cursor = self._game.values.quest
        if cursor is not None:
            return f"quest {cursor.quest_id}", cursor.floor
        return skill, self._game.hero.config.floors.get(skill, 0.0)

    def round(self, state: CurriculumState, step: int) -> Round:
        """The data of optimizer step ``step``."""
        cursor = self._game.values.quest
        if self.quest is not None and cursor is not None:
            practice = self.quest.round(cursor.position, state, step, self._game.values.replay)
            silent = not any(batch.trained_tokens for batch in practice.batches)
            if cursor.position % self._game.rules.quests.mask_check_steps and not silent:
                return practice
            report = self.quest.inspect(practice)
            if report.verdict != "abort":
                return practice
            self._wrongly_masked(self.quest.quest, cursor, report)
        drill = self._game.values.drill
        if drill is not None and drill.order is not None and drill.order.skill == state.skill:
            return self._game.forge.drill_round(drill.order, state, step)
        return self._game.forge.round(state, step)

    def stepped(self, practice: Round) -> None:
        """Count a finished step."""
        cursor = self._game.values.quest
        if cursor is not None:
            cursor.position += 1
            cursor.examples_done += practice.examples

    # ---------------------------------------------------------------- choosing

    def choose(self) -> None:
        """Before the next step: take a quest from the board if one waits, else see that a drill is under way."""
        self._repeat()
        if self._game.values.quest is None:
            self._draw()
        if self._game.values.quest is None:
            self._drill()

    def _repeat(self) -> None:
        """Take in again, at the same steps, what the run that is continued took in from outside."""
        game = self._game
        while game.replay and game.replay[0].step <= game.values.step:
            entry = game.replay.pop(0)
            game.values.applied_seq = max(game.values.applied_seq, entry.seq)
            if entry.verb == DRAW:
                self._begin(self._by_id(int(entry.args["quest_id"])))
            elif entry.verb == SMALLER_PASSES:
                game.memory.again(entry)
            elif entry.verb == ANSWERS:
                game.outside.again(entry.args)
            else:
                self._order_again(entry)

    def _order_again(self, entry: JournalEntry) -> None:
        """Give an order once more; what cannot be ordered any more (another catalogue, other rules) is said and left out."""
        try:
            self._game.orders.again(entry)
        except RealmError as error:
            self._inexact(f"the order {entry.verb} after step {entry.step} cannot be repeated: {error.what}")

    def _draw(self) -> None:
        """Take a quest from the board; not before everything that is to be repeated was."""
        game = self._game
        while not game.replay and self._board_changed():
            quest = quests.next_quest(game.conn, max_failures=game.rules.quests.max_attempts)
            if quest is not None:
                # What the quest before it left to a checkpoint under way must be a fact before this one begins.
                game.saving.settle()
                quest = quests.next_quest(game.conn, max_failures=game.rules.quests.max_attempts)
            if quest is None:
                return
            if self._stale(quest):
                continue
            entry = journal.add(
                game.conn, game.run_id, game.values.step, DRAW, {"quest_id": quest.id}, changes_training=True
            )
            game.values.applied_seq = entry.seq
            if self._begin(quest):
                return
            self._seen_version = None

    def _stale(self, quest: Quest) -> bool:
        """Drop a quest of failures that the hero has outgrown; whether it was one."""
        game, step = self._game, self._game.values.step
        reason = quests.stale_since(game.conn, quest, game.campaign.id, step)
        if reason is None:
            return False
        attempt = quests.start_attempt(game.conn, quest.id, game.run_id, first_step=step)
        quests.finish_attempt(game.conn, attempt, "skipped", last_step=step, reason=reason)
        self._seen_version = None
        return True

    def _board_changed(self) -> bool:
        """Whether somebody wrote to the save since the last look."""
        version = int(self._game.conn.execute("PRAGMA data_version").fetchone()[0])
        changed, self._seen_version = version != self._seen_version, version
        return changed

    def _by_id(self, quest_id: int) -> Quest | None:
        try:
            return quests.quest(self._game.conn, quest_id)
        except RealmError:
            return None

    def scan_inbox(self) -> bool:
        """Put files that lie ready in the save's inbox on the board; whether any was."""
        game = self._game
        results = scan_inbox(game.conn, game.folder, game.rules.quests, reader=self._reader)
        found = any(result.quest is not None for result in results)
        if found:
            self._seen_version = None
        return found

    # ---------------------------------------------------------------- a player's quest

    def _begin(self, quest: Quest | None) -> bool:
        """Start a quest; False when it could not be, which its attempt then says."""
        game = self._game
        game.saving.settle()
        if quest is None or quest.removed_at is not None:
            self._inexact("a quest of the run that is continued is gone")
            return False
        self.drills.end("interrupted")
        planned_at = game.campaign.began_at
        say = game.recorder.progress
        first_step = game.values.step + 1
        try:
            practice = QuestPractice(
                game.folder, quest, game.hero, game.rules, game.campaign.seed, game.forge, planned_at, say
            )
        except RealmError as error:
            self._failed(quest, first_step, error)
            return False
        before, samples = self._measure(practice, say)
        attempt_id = quests.start_attempt(
            game.conn,
            quest.id,
            game.run_id,
            first_step=first_step,
            steps_total=practice.steps_total,
            loss_before=before,
            samples=samples,
        )
        quests.update_attempt(game.conn, attempt_id, tokens=practice.facts())
        best = [a.loss_after for a in quests.attempts(game.conn, quest.id) if a.loss_after is not None]
        game.values.quest = QuestCursor(
            quest_id=quest.id,
            attempt_id=attempt_id,
            position=0,
            examples_done=0,
            loss_before=before,
            samples_before=samples,
            floor=min(best, default=None),
            planned_at=planned_at,
        )
        self._install(practice)
        return True

    def go_on(self) -> None:
        """After a resume in the middle of a quest: read it again and continue its attempt in this run."""
        game = self._game
        cursor = game.values.quest
        if cursor is None:
            return
        quest = self._by_id(cursor.quest_id)
        say = game.recorder.progress
        try:
            if quest is None or quest.removed_at is not None:
                raise RealmError("the quest was removed", code="QUEST_GONE")
            practice = QuestPractice(
                game.folder, quest, game.hero, game.rules, game.campaign.seed, game.forge, cursor.planned_at, say
            )
            self._check_plan(practice, cursor)
        except RealmError as error:
            self._inexact(f"the quest in training could not be read again: {error.what}")
            game.values.quest = None
            return
        cursor.attempt_id = quests.start_attempt(
            game.conn,
            quest.id,
            game.run_id,
            first_step=game.values.step + 1,
            steps_total=practice.steps_total,
            continues_id=cursor.attempt_id,
            examples_done=cursor.examples_done,
            loss_before=cursor.loss_before,
            samples=cursor.samples_before,
        )
        quests.update_attempt(game.conn, cursor.attempt_id, tokens=practice.facts())
        self._install(practice)

    def _check_plan(self, practice: QuestPractice, cursor: QuestCursor) -> None:
        """Refuse to go on in the middle of a plan of another length, and say where one of the same length has changed: by another
        file, or other rules of what is held out.
        """
        attempts = quests.attempts(self._game.conn, practice.quest.id)
        before = next((a for a in attempts if a.id == cursor.attempt_id), None)
        if before is None or before.steps_total != practice.steps_total:
            raise RealmError(
                f"{practice.quest.name} has other examples now",
                why=f"it takes {practice.steps_total} steps, {before.steps_total if before else 'no number of'} before",
                fix="nothing needs to be done; it is begun anew",
                code="QUEST_CHANGED",
            )
        if before.tokens.get("plan") != practice.plan.digest:
            self._inexact(f"the examples of {practice.quest.name}, or the rules that order them, are others now")

    def _install(self, practice: QuestPractice) -> None:
        self.quest = practice
        cursor = self._game.values.quest
        assert cursor is not None
        self._game.held_out_loss = cursor.loss_before
        self._game.recorder.show(
            quest=practice.quest.name,
            quest_id=practice.quest.id,
            quest_step=cursor.position,
            quest_steps=practice.steps_total,
            held_out_loss=cursor.loss_before,
            progress=None,
        )

    def finish_if_done(self) -> None:
        """After the quest's last step: measure, and complete it with a checkpoint."""
        game = self._game
        cursor, practice = game.values.quest, self.quest
        if cursor is None or practice is None or cursor.position < practice.steps_total:
            return
        after, samples = self._measure(practice, game.recorder.progress)
        game.held_out_loss = after
        answers = {s["line"]: s["answer"] for s in samples}
        merged = [{**s, "before": s["answer"], "after": answers.get(s["line"])} for s in cursor.samples_before]
        for sample in merged:
            del sample["answer"]
        self._close(cursor.quest_id)
        step = game.values.step

        def final(checkpoint_id: int) -> None:
            quests.finish_attempt(
                game.conn,
                cursor.attempt_id,
                "completed",
                last_step=step,
                loss_after=after,
                samples=merged,
                examples_done=cursor.examples_done,
            )

        game.saving.pending.append(final)
        game.saving.save("quest")
        game.held_out_loss = None
        self._seen_version = None

    def skip(self, reason: str) -> str:
        """Leave what is under way on the player's word; returns its name."""
        game = self._game
        cursor, practice = game.values.quest, self.quest
        if cursor is None or practice is None:
            name = game.values.drill.name if game.values.drill else "nothing"
            self.drills.end("skipped")
            return name
        quests.finish_attempt(
            game.conn,
            cursor.attempt_id,
            "skipped",
            last_step=game.values.step,
            reason=reason,
            examples_done=cursor.examples_done,
        )
        self._close(cursor.quest_id)
        self._seen_version = None
        return practice.quest.name

    def _close(self, quest_id: int) -> None:
        game = self._game
        tracker = game.trackers.pop(f"quest {quest_id}", None)
        if tracker is not None:
            game.values.effort_before += tracker.effort
        game.values.quest, self.quest = None, None
        game.recorder.show(quest=None, quest_id=None, quest_step=None, quest_steps=None, progress=None)

    def _measure(
        self, practice: QuestPractice, say: Callable[[str], None]
    ) -> tuple[float | None, list[dict[str, object]]]:
        game = self._game
        loss = held_out_loss(game.loop, practice.kept, game.memory.pass_tokens, say)
        with game.loop.examined():
            samples = sample_answers(game.hero, practice, game.rules.quests.samples, game.forge.system, say)
        return loss, samples

    def _failed(self, quest: Quest, first_step: int, error: RealmError) -> None:
        game = self._game
        with transaction(game.conn, durable=True):
            attempt_id = quests.start_attempt(game.conn, quest.id, game.run_id, first_step=first_step)
            quests.finish_attempt(game.conn, attempt_id, "failed", last_step=game.values.step, reason=error.text())
            incidents.raise_incident(
                game.conn,
                "quest_failed",
                category="data",
                severity="medium",
                title=f"quest {quest.name} could not be trained: {error.what}",
                fix=error.fix or "check the file (`realm quest check`)",
                detail={"quest_id": quest.id, "why": error.why},
                run_id=game.run_id,
                step=game.values.step,
            )
        game.recorder.progress(None)

    def _wrongly_masked(self, quest: Quest, cursor: QuestCursor, report: MaskReport) -> None:
        """Leave a quest whose batches would train the wrong tokens, before any of them is trained."""
        game = self._game
        reasons = "; ".join(report.reasons)
        quests.finish_attempt(
            game.conn,
            cursor.attempt_id,
            "failed",
            last_step=game.values.step,
            reason=reasons,
            examples_done=cursor.examples_done,
        )
        incidents.raise_incident(
            game.conn,
            "masking",
            category="data",
            severity="high",
            title=f"quest {quest.name} was left: its batches would train the wrong tokens",
            fix="see `realm quest check`; with a turn format of your own, mend its marks",
            detail={"quest_id": quest.id, "masking": report.as_dict()},
            run_id=game.run_id,
            step=game.values.step,
        )
        self._close(quest.id)
        self._seen_version = None

    def _inexact(self, why: str) -> None:
        game = self._game
        incidents.raise_incident(
            game.conn,
            "inexact_resume",
            category="training",
            severity="low",
            title="this run does not repeat the one it continues exactly",
            fix="nothing needs to be done; the hero trains on from its checkpoint",
            detail={"why": why},
            run_id=game.run_id,
            step=game.values.step,
        )

    # ---------------------------------------------------------------- drills

    def _drill(self) -> None:
        values = self._game.values
        if self.drills.over:
            self.drills.end("completed")
        if values.drill is not None:
            return
        if self.scan_inbox():
            self._draw()
            if values.quest is not None:
                return
        self.drills.begin()

    def leave(self) -> None:
        """The engine stops: what is under way is interrupted in the save, and goes on with the next run."""
        game = self._game
        self.drills.leave()
        cursor = game.values.quest
        if cursor is not None:
            quests.finish_attempt(
                game.conn,
                cursor.attempt_id,
                "interrupted",
                last_step=game.values.step,
                reason=f"the engine stopped at {clock.utc(clock.now()):%Y-%m-%d %H:%M} UTC",
                examples_done=cursor.examples_done,
            )
