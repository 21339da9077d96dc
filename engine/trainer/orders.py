"""Carries out commands at step boundaries, answers them with the step at which they took effect, and journals them."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from configs.errors import BlockedError, RealmError, UsageError
from engine.hero.loading import load_folder
from engine.link.ending import ExitCode, exit_code_of
from engine.link.protocol import Command, Verb
from engine.trainer.answering import answer
from engine.trainer.bout import bout
from engine.trainer.exam_elsewhere import told, wanted_elsewhere
from engine.trainer.exam_orders import check_names, examine
from engine.trainer.parking import park
from engine.trainer.plan_asked import PlanAsked
from engine.trainer.promotion import best_examined, find_form, promote, take_back
from engine.trainer.steering import steer
from saves import incidents, journal, ledger
from saves.rows import Checkpoint, JournalEntry

if TYPE_CHECKING:
    from engine.trainer.game import Game

NEEDS_WEIGHTS = frozenset({Verb.ASK, Verb.EXAM, Verb.SPAR, Verb.CHECKPOINT, Verb.PROMOTE, Verb.SET})
CHANGES_NOTHING = frozenset({Verb.ASK, Verb.EXAM, Verb.SPAR, Verb.COURSE, Verb.PROMOTE, Verb.FORGET, Verb.RESOLVE})
"""Verbs after whose failure training goes on as if they had not been given."""
RECIPE = "recipe-"
"""First letters of the ids of commands that a recipe gives."""


class Orders:
    """The verbs of a `Game`."""

    def __init__(self, game: Game) -> None:
        self._game = game
        self._recipe: list[tuple[int, Command]] = []
        """Orders of the recipe that this campaign follows, with their steps."""
        self._late: set[str] = set()
        """Ids of commands that are answered when a checkpoint under way is listed."""
        self._verbs: dict[Verb, Callable[[Command], dict[str, Any] | None]] = {
            Verb.PAUSE: self._pause,
            Verb.RESUME: self._resume,
            Verb.PARK: self._park,
            Verb.CHECKPOINT: self._checkpoint,
            Verb.PROMOTE: self._promote,
            Verb.SKIP: self._skip,
            Verb.STOP: self._stop,
            Verb.SET: self._set,
            Verb.ASK: self._ask,
            Verb.EXAM: self._exam,
            Verb.FORGET: self._forget,
            Verb.SPAR: self._spar,
            Verb.DRILL: self._drill,
            Verb.COURSE: self._course,
            Verb.RESOLVE: self._resolve,
        }

    def follow(self, orders: Iterable[Mapping[str, Any]]) -> None:
        """Do again what a recipe's player did: each order is carried out once, after its step, and journaled as a command.

        What the journal still repeats comes from there; what was given up by going back to an older form is ordered once more.
        """
        game = self._game
        counted = journal.replayable(game.conn, game.campaign.id, -1)
        known = {(entry.command_id or "").partition(".")[0] for entry in counted}
        named = ((f"{RECIPE}{game.campaign.id}-{n}", o) for n, o in enumerate(orders))
        self._recipe = [
            (int(o["step"]), Command(Verb(o["verb"]), dict(o["args"]), f"{name}.{game.run_id}"))
            for name, o in named
            if int(o["step"]) >= game.values.step and name not in known
        ]

    def _due(self) -> list[Command]:
        """The recipe's orders whose step is reached; a parked hero takes them in once it is back."""
        if self._game.parked:
            return []
        step = self._game.values.step
        due = [command for at, command in self._recipe if at <= step]
        self._recipe = [(at, command) for at, command in self._recipe if at > step]
        return due

    def take_in(self) -> None:
        """Carry out every command that has arrived."""
        for command in [*self._due(), *self._game.channel.drain()]:
            self._carry_out(command)

    def _carry_out(self, command: Command) -> None:
        game = self._game
        if command.id in self._late:
            return
        known = journal.entry_of(game.conn, command.id)
        if known is not None:
            game.channel.done(command.id, known.step, dict(known.result or {}))
            return
        game.guards.attended()
        step = game.values.step
        try:
            if game.parked and command.verb in NEEDS_WEIGHTS:
                raise BlockedError("the hero is parked", fix="resume it first (`realm resume`)", code="PARKED")
            result = self._verbs[command.verb](command)
        except RealmError as error:
            self._not_done(command, step, error)
            return
        except Exception as error:
            if command.verb not in CHANGES_NOTHING or not fails_alone(error):
                raise
            traceback.print_exc()
            self._not_done(command, step, failed(command, error))
            return
        if command.verb is Verb.COURSE:  # changes nothing and may be long: not for the journal
            game.channel.done(command.id, step, result)
        elif result is not None:
            self._answer(command, step, result)

    def _not_done(self, command: Command, step: int, error: RealmError) -> None:
        """Say why a command was not carried out."""
        if command.id.startswith(RECIPE):
            self._refused(command, error)
        else:
            self._game.channel.failed(command.id, step, error)

    def _refused(self, command: Command, error: RealmError) -> None:
        """Nobody waits for the answer to a recipe's order, so its refusal is written down."""
        game = self._game
        incidents.raise_incident(
            game.conn,
            "recipe_order_refused",
            category="training",
            severity="medium",
            title=f"an order of the recipe was refused: {error.what}",
            fix="nothing needs to be done; from here on the campaign may differ from the one that was recorded",
            detail={"verb": str(command.verb), "args": dict(command.args), "why": error.why},
            run_id=game.run_id,
            step=game.values.step,
        )

    def _answer(self, command: Command, step: int, result: dict[str, Any]) -> None:
        """Journal a command that took effect at ``step``, and say so."""
        game = self._game
        entry = journal.add(
            game.conn,
            game.run_id,
            step,
            str(command.verb),
            command.args,
            changes_training=self._is_repeated(command, result),
            command_id=command.id,
            result=result,
        )
        if step == game.values.step:
            game.values.applied_seq = entry.seq
        game.channel.done(command.id, step, result)

    def _answer_when_saved(self, command: Command, reason: str, tell: Callable[[Checkpoint], dict[str, Any]]) -> None:
        """Save the hero as it is now, and answer the command with this step once the checkpoint is listed."""
        game, step = self._game, self._game.values.step

        def landed(ended: Checkpoint | RealmError) -> None:
            self._late.discard(command.id)
            if isinstance(ended, RealmError):
                game.channel.failed(command.id, step, ended)
            else:
                self._answer(command, step, tell(ended))

        self._late.add(command.id)
        game.saving.save(reason, landed=landed)

    @staticmethod
    def _is_repeated(command: Command, result: Mapping[str, Any]) -> bool:
        """Whether a resumed run takes a command in again: it changes training, or it saves a form for an exam elsewhere."""
        if command.verb is Verb.EXAM:
            return "waits" in result
        return command.verb in (Verb.SKIP, Verb.DRILL) or (command.verb is Verb.SET and bool(command.args))

    def again(self, entry: JournalEntry) -> None:
        """Take in once more what the run before took in at this step."""
        if entry.verb == Verb.EXAM:
            self._game.outside.ask(PlanAsked.from_dict((entry.result or {})["asked"]))
            return
        command = Command(Verb(entry.verb), dict(entry.args))
        self._verbs[command.verb](command)

    # ---------------------------------------------------------------- the verbs

    def _pause(self, command: Command) -> dict[str, Any] | None:
        self._game.paused = True
        if not command.args.get("save"):
            return {}
        self._answer_when_saved(command, "pause", lambda form: {})
        return None

    def _resume(self, command: Command) -> dict[str, Any]:
        game = self._game
        game.paused = False
        game.unpark()
        if game.blocked is not None:
            game.blocked = None
            game.values.refused = 0
            for incident in incidents.open_incidents(game.conn, blocking=True):
                incidents.resolve(game.conn, incident.id)
            game.saving.try_again()
        return {}

    def _resolve(self, command: Command) -> dict[str, Any]:
        game = self._game
        found = incidents.closable(game.conn, command.args.get("id"))
        if found.blocks and game.blocked is not None:
            raise BlockedError(
                f"training waits because of incident {found.id}",
                why=game.blocked.what,
                fix="mend the cause, then resume (`realm resume`): that closes it, too",
                code="INCIDENT_BLOCKS",
            )
        return incidents.close(game.conn, found, wontfix=bool(command.args.get("wontfix")))

    def _park(self, command: Command) -> dict[str, Any]:
        game = self._game
        if not game.parked:
            game.host_copy = park(game.loop)
            game.parked = True
        freed = game.host_copy.freed_bytes if game.host_copy is not None else 0
        return {"device": game.loop.placement.device, "freed_bytes": freed}

    def _checkpoint(self, command: Command) -> None:
        self._answer_when_saved(
            command,
            "asked",
            lambda form: {"name": form.name, "step": form.step, "digest": form.digest, "bytes": form.bytes},
        )

    def _promote(self, command: Command) -> dict[str, Any]:
        game = self._game
        name = command.args.get("name")
        game.saving.settle()
        if command.args.get("undo"):
            return take_back(game.folder, game.conn, game.campaign.id)
        own = [c for c in ledger.kept_checkpoints(game.conn) if c.campaign_id == game.campaign.id]
        form = find_form(game.conn, str(name)) if name else best_examined(own)
        if form is None:
            form = self._examined_now(command)
        exam = form.facts.get("exam")
        return promote(game.folder, game.conn, form, exam["id"] if exam else None)

    def _examined_now(self, command: Command) -> Checkpoint:
        """Examine and save the hero as it is, for want of an examined form."""
        game = self._game
        game.channel.progress(command.id, "no form was examined yet: the hero sits an exam now")
        examine(game, {})
        if game.last_exam is not None and not game.last_exam.items:
            raise BlockedError(
                "the hero was not examined: none of the exam's questions could be asked",
                fix="see the newest incident (`realm incident list`), or name a form: `realm promote NAME`",
                code="NOTHING_EXAMINED",
            )
        if game.saving.saved_at(game.values.step):
            raise BlockedError(
                "the newest form was saved before it was examined",
                fix="let the hero train one more step, then promote again",
                code="NOTHING_EXAMINED",
            )
        return game.saving.saved_now("promote")

    def _skip(self, command: Command) -> dict[str, Any]:
        return {"skipped": self._game.board.skip("skipped by the player")}

    def _stop(self, command: Command) -> dict[str, Any]:
        game = self._game
        at_step, steps = command.args.get("at_step"), command.args.get("steps")
        if steps is not None:
            at_step = game.first_step + steps if isinstance(steps, int) and steps >= 0 else "that many steps"
        if at_step is not None:
            if not isinstance(at_step, int) or at_step < game.values.step:
                raise UsageError(f"the engine is past step {at_step}", fix="choose a later step", code="BAD_STEP")
            game.stop_at_step = at_step
            return {"at_step": at_step}
        game.stopping = "stopped"
        return {}

    def _set(self, command: Command) -> dict[str, Any]:
        return steer(self._game, command.args)

    def _drill(self, command: Command) -> dict[str, Any]:
        game, name, steps = self._game, command.args.get("primitive"), command.args.get("steps")
        if not isinstance(name, str):
            raise UsageError("a drill needs a `primitive`", fix="see `realm primitive list`", code="BAD_ARGUMENT")
        if steps is not None and (not isinstance(steps, int) or not 1 <= steps <= 100_000):
            raise UsageError(f"{steps!r} is no number of steps", fix="choose 1 to 100000", code="BAD_ARGUMENT")
        drill = game.course.drill_order(name, reason="asked for by the player", steps=steps)
        game.values.drills.append(drill)
        game.values.undrillable = [p for p in game.values.undrillable if p != drill.primitive]
        if game.values.quest is None and (game.values.drill is None or game.values.drill.order is None):
            game.board.drills.end("interrupted")
        return {"drill": drill.as_dict(), "text": drill.text, "waits": game.values.quest is not None}

    def _course(self, command: Command) -> dict[str, Any]:
        return self._game.course.as_dict()

    def _ask(self, command: Command) -> dict[str, Any]:
        game, args = self._game, command.args
        prompt = str(args.get("prompt") or "")
        form = str(args.get("form") or "live")
        if form == "live":
            with game.loop.examined():
                return {"form": "live", "step": game.values.step, **answer(game.hero, prompt, game.forge.system, args)}
        checkpoint = find_form(game.conn, form)
        hero = load_folder(game.hero.config, ledger.folder_of(game.folder, checkpoint), game.loop.placement)
        hero.model.eval()
        said = answer(hero, prompt, game.forge.system, args)
        return {"form": checkpoint.name, "step": checkpoint.step, "digest": checkpoint.digest, **said}

    def _exam(self, command: Command) -> dict[str, Any] | None:
        game = self._game
        check_names(command.args)
        asked = wanted_elsewhere(game, command.args)
        if asked is None:
            return examine(game, command.args)
        # Journaled first: what the save then says of the questions is always known to a run that resumes.
        self._answer(command, game.values.step, told(asked))
        game.outside.ask(asked)
        return None

    def _spar(self, command: Command) -> dict[str, Any]:
        game = self._game
        with game.loop.examined():
            found = bout(game, command.args)
        game.recorder.progress(None)
        return found

    def _forget(self, command: Command) -> dict[str, Any]:
        name = command.args.get("name")
        if not isinstance(name, str):
            raise UsageError("forget needs the `name` of a form", fix="see `realm ledger list`", code="BAD_ARGUMENT")
        gone = self._game.vault.forget(name)
        return {"name": gone.name, "bytes": gone.bytes}


def fails_alone(error: Exception) -> bool:
    """Whether an unforeseen error ends only the command that met it, and not the engine: a lost card or a full disk ends both."""
    return exit_code_of(error) in (1, ExitCode.OOM)


def failed(command: Command, error: Exception) -> RealmError:
    """The answer to a command that met an unforeseen error."""
    full = exit_code_of(error) == ExitCode.OOM
    return RealmError(
        f"`{command.verb}` ran out of memory" if full else f"`{command.verb}` failed",
        why=" ".join(f"{type(error).__name__}: {error}".split())[:300],
        fix="ask for less, or free some memory; training goes on" if full else "see `realm log`; training goes on",
        code="ORDER_FAILED",
    )
