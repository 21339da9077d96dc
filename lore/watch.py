"""Watches facts by rules: what sets in, what it is made worse by, how far its cure is, and when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lore.combat import PAYING
from lore.conditions import RESULT_LETTER, Answers, Reading, WatchRule, Window
from lore.fold import KINDS, ExamFact
from lore.plain import plain

WIDEST_TAIL = 999
"""Answers that are remembered for conditions on answers in a row."""


@dataclass(slots=True)
class Struck:
    """Something that set in."""

    since: int
    """Optimizer step at which it set in, or set in again after it had ended."""
    at: float
    until: int | None
    """Step at which it ends by itself; None: it must be cured."""
    severity: str
    subjects: list[str]
    """What it stands on: a skill, ``skill:level``, a discipline; empty for answers."""
    evidence: str
    """The reading that brought it, e.g. ``gap 0.41``."""


@dataclass(slots=True)
class Watching:
    """What a `Watch` remembers."""

    struck: dict[str, Struck] = field(default_factory=dict)
    """By rule what is in force."""
    last_struck: dict[str, int] = field(default_factory=dict)
    """By rule the step at which it last set in, for its cooldown."""
    runs: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    """By condition and subject: readings in a row that were as asked, and the step of the first of them."""
    values: dict[str, dict[str, float]] = field(default_factory=dict)
    """By reading and subject the newest value."""
    tail: str = ""
    """Results of the newest answers, as `Exam.sequence` spells them."""
    ended: dict[str, int] = field(default_factory=dict)
    """By rule how often it ended."""


class Change(NamedTuple):
    """Something set in or ended."""

    rule: str
    kind: str
    """applied, cured or expired."""
    step: int


Tell = Callable[[Change], None]


class _Asked(NamedTuple):
    rule: str
    part: str
    """when, until or worse."""
    key: str
    condition: Any
    marks: bytes = b""
    """Of a condition on answers: turns each answer as asked into a one."""
    stretch: bytes = b""
    """As many ones as it asks in a row."""


class Watch:
    """Rules over readings and answers; knows nothing of tables."""

    def __init__(self, rules: Mapping[str, WatchRule]) -> None:
        self.rules = rules
        self._readings: dict[str, list[_Asked]] = {}
        self._answers: list[_Asked] = []
        for name, rule in rules.items():
            for part in ("worse", "when", "until"):
                for number, condition in enumerate(getattr(rule, part)):
                    asked = _Asked(name, part, f"{name}/{part}/{number}", condition)
                    if isinstance(condition, (Reading, Window)):
                        self._readings.setdefault(condition.reading, []).append(asked)
                    elif isinstance(condition, Answers):
                        letters = condition.letters.encode()
                        marks = bytes.maketrans(letters, b"\1" * len(letters))
                        self._answers.append(asked._replace(marks=marks, stretch=b"\1" * condition.in_a_row))
        self.reads = frozenset(self._readings)
        """The readings that its rules ask for."""
        self.kinds = frozenset(KINDS[table] for table, given in _READINGS.items() if not self.reads.isdisjoint(given))
        """The kinds of facts that give one of them."""
        self._timed = {
            name: [
                (f"{name}/until/{number}", condition)
                for number, condition in enumerate(rule.until)
                if isinstance(condition, (Reading, Window)) and condition.steps
            ]
            for name, rule in rules.items()
        }
        """By rule the key and the condition of what must have held for some steps to end it."""
        self._tail = min(WIDEST_TAIL, max((a.condition.in_a_row for a in self._answers), default=0))

    # ---------------------------------------------------------------- time

    def pass_to(self, state: Watching, step: int, tell: Tell) -> None:
        """End what ends by itself up to ``step``."""
        if not state.struck:
            return
        for name in list(state.struck):
            ends = self.ends_at(state, name)
            if ends is not None and ends[0] <= step:
                self._end(state, name, ends[1], ends[0], tell)

    def ends_at(self, state: Watching, name: str) -> tuple[int, str] | None:
        """Step at which something in force ends if nothing else is read, and how (cured or expired)."""
        struck = state.struck[name]
        found = [] if struck.until is None else [(struck.until, "expired")]
        for key, condition in self._timed[name]:
            runs = state.runs.get(key, {})
            held = [runs.get(subject) for subject in struck.subjects]
            if held and all(run is not None and run[0] >= condition.times for run in held):
                found.append((max(run[1] for run in held if run is not None) + condition.steps, "cured"))
        return min(found) if found else None

    # ---------------------------------------------------------------- readings

    def read(self, state: Watching, reading: str, subject: str, value: float, step: int, at: float, tell: Tell) -> None:
        """Take in one value of a reading."""
        asked = self._readings.get(reading)
        if not asked:
            return
        known = state.values.setdefault(reading, {})
        before, known[subject] = known.get(subject), value
        worse: set[str] = set()
        for rule, part, key, condition, *_ in asked:
            runs = state.runs.setdefault(key, {})
            if not condition.met(value, before):
                runs.pop(subject, None)
                continue
            run = runs.setdefault(subject, [0, step])
            run[0] += 1
            if part == "until":
                self._cured(state, rule, condition, subject, run, step, tell)
            elif self._holds(condition, runs, known, step):
                if part == "worse":
                    worse.add(rule)
                else:
                    holding = sorted(s for s, r in runs.items() if self._long_enough(condition, r, step))
                    self._strike(state, rule, holding, (reading, value), step, at, rule in worse, tell)

    @staticmethod
    def _long_enough(condition: Any, run: list[int], step: int) -> bool:
        return run[0] >= int(condition.times) and step - run[1] >= int(condition.steps)

    def _holds(self, condition: Any, runs: Mapping[str, list[int]], known: Mapping[str, float], step: int) -> bool:
        if isinstance(condition, Window):
            return any(self._long_enough(condition, r, step) for r in runs.values())
        if step < condition.after_step:
            return False
        holding = {s.partition(":")[0] for s, r in runs.items() if self._long_enough(condition, r, step)}
        if condition.every and holding != {s.partition(":")[0] for s in known}:
            return False
        return len(holding) >= int(condition.skills)

    def _cured(
        self, state: Watching, rule: str, condition: Any, subject: str, run: list[int], step: int, tell: Tell
    ) -> None:
        struck = state.struck.get(rule)
        if struck is None or not self._long_enough(condition, run, step):
            return
        if any(isinstance(c, Reading) and c.every for c in self.rules[rule].when):
            self._end(state, rule, "cured", step, tell)
            return
        if subject not in struck.subjects:
            return
        struck.subjects.remove(subject)
        if len({s.partition(":")[0] for s in struck.subjects}) < self._fewest(rule):
            self._end(state, rule, "cured", step, tell)

    def _fewest(self, rule: str) -> int:
        """Skills (or other subjects) without which it cannot stand."""
        return min((c.skills for c in self.rules[rule].when if isinstance(c, Reading)), default=1)

    # ---------------------------------------------------------------- answers

    def answer(self, state: Watching, sequence: str, step: int, at: float, tell: Tell) -> None:
        """Take in the results of one exam's answers, in order."""
        new = sequence.replace("?", "")
        if not new or not self._answers:
            return
        text, old = state.tail + new, len(state.tail)
        codes = text.encode("ascii", "replace")
        hits: dict[str, int] = {}
        for asked in self._answers:
            rule, condition = asked.rule, asked.condition
            end = _last_end(asked, codes, old) if asked.part == "when" else 0
            if end:
                hits[rule] = max(hits.get(rule, 0), end)
                row = text[end - condition.in_a_row : end]
                worse = any(a.part == "worse" and a.rule == rule and _last_end(a, codes, old) for a in self._answers)
                self._strike(state, rule, [], row, step, at, worse, tell)
        for asked in self._answers:
            rule = asked.rule
            if asked.part == "until" and rule in state.struck and _last_end(asked, codes, old) > hits.get(rule, 0):
                self._end(state, rule, "cured", step, tell)
        state.tail = text[-self._tail :]

    # ---------------------------------------------------------------- setting in and ending

    def _strike(
        self,
        state: Watching,
        name: str,
        subjects: list[str],
        found: str | tuple[str, float],
        step: int,
        at: float,
        worse: bool,
        tell: Tell,
    ) -> None:
        rule, struck = self.rules[name], state.struck.get(name)
        if struck is not None:
            struck.subjects = sorted({*struck.subjects, *subjects})
            if worse:
                struck.severity = rule.worse_severity
        if step - state.last_struck.get(name, -rule.cooldown) < rule.cooldown:
            return
        state.last_struck[name] = step
        until = None if rule.lasts is None else step + rule.lasts
        evidence = _spelt(found) if isinstance(found, str) else f"{found[0]} {found[1]:.4g}"
        if struck is not None:
            struck.until, struck.evidence = until, evidence
            return
        severity = rule.worse_severity if worse else rule.severity
        state.struck[name] = Struck(step, at, until, severity, subjects, evidence)
        tell(Change(name, "applied", step))

    def _end(self, state: Watching, name: str, kind: str, step: int, tell: Tell) -> None:
        del state.struck[name]
        state.ended[name] = state.ended.get(name, 0) + 1
        # What it stood on must show itself anew, or one old reading would bring it back at once.
        for key in [k for k in state.runs if k.startswith(f"{name}/")]:
            del state.runs[key]
        tell(Change(name, kind, step))

    def progress(self, state: Watching, name: str) -> tuple[int, int] | None:
        """How far the cure is: done and needed, in answers or readings; None where nothing is counted."""
        struck = state.struck.get(name)
        best: tuple[int, int] | None = None
        for number, condition in enumerate(self.rules[name].until if struck is not None else ()):
            if isinstance(condition, Answers):
                done, needed = len(state.tail) - len(state.tail.rstrip(condition.letters)), condition.in_a_row
            elif isinstance(condition, (Reading, Window)) and condition.times > 1:
                runs = state.runs.get(f"{name}/until/{number}", {})
                done = min((runs.get(s, [0])[0] for s in struck.subjects), default=0) if struck else 0
                needed = condition.times
            else:
                continue
            if best is None or done * best[1] > best[0] * needed:
                best = (min(done, needed), needed)
        return best


def _spelt(row: str) -> str:
    """Results in a row as words, e.g. ``miss ×4, crit_miss ×1``."""
    return ", ".join(f"{name} ×{row.count(letter)}" for name, letter in RESULT_LETTER.items() if letter in row)


def _last_end(asked: _Asked, codes: bytes, old: int) -> int:
    """Where the last stretch as asked ends in ``codes``, beyond the first ``old`` of them; 0 without one."""
    many = len(asked.stretch)
    place = codes.translate(asked.marks).rfind(asked.stretch, max(0, old + 1 - many))
    return 0 if place < 0 else place + many


# ---------------------------------------------------------------- facts to readings

Read = tuple[str, str, float]
"""Reading, subject, value."""


def readings_of(fact: Any) -> Iterator[Read]:
    """The readings that one fact of the stream gives."""
    kind = fact.table
    if kind == "exams":
        if fact.kind == "gate" and fact.items:
            share = fact.correct / fact.items
            yield "accuracy", f"{fact.skill}:{fact.level}", share
            yield "training_accuracy", fact.skill, share
            yield "unreadable", fact.skill, fact.format_failures / fact.items
    elif kind == "holds":
        yield "lost", f"{fact.skill}:{fact.level}", float(fact.lost)
    elif kind == "level_ups":
        yield "lost", f"{fact.skill}:{fact.to_level}", 0.0
    elif kind == "drifts":
        fallen = max(0.0, fact.baseline - fact.share) if fact.severity != "none" else 0.0
        yield "drop", f"{fact.skill}:{fact.level}", round(fallen, 9)
    elif kind == "trials":
        yield "trial", fact.discipline, float(fact.passed)
    elif kind == "quest_attempts":
        if fact.state in ("completed", "failed"):
            yield "failed", "", float(fact.state == "failed")
        if fact.state == "completed" and fact.loss_after is not None:
            if fact.loss_before is not None:
                yield "gain", "", fact.loss_before - fact.loss_after
            if fact.train_loss is not None:
                yield "gap", "", fact.loss_after - fact.train_loss


_READINGS: Mapping[str, tuple[str, ...]] = {
    "exams": ("accuracy", "training_accuracy", "unreadable"),
    "holds": ("lost",),
    "level_ups": ("lost",),
    "drifts": ("drop",),
    "trials": ("trial",),
    "quest_attempts": ("failed", "gain", "gap"),
}
"""By table the readings that its facts give."""
STREAM_TABLES = frozenset({"exams", "holds", "level_ups", "drifts", "trials", "quest_attempts", "checkpoints"})
"""Tables with readings, and checkpoints, at which time passes."""


def take(watch: Watch, state: Watching, fact: Any, tell: Tell) -> None:
    """Take one fact of the stream in."""
    if state.struck:
        watch.pass_to(state, fact.step, tell)
    kind = type(fact)
    if kind in watch.kinds:
        for reading, subject, value in readings_of(fact):
            if reading in watch.reads:
                watch.read(state, reading, subject, value, fact.step, fact.at, tell)
    if kind is ExamFact and fact.kind in PAYING:
        watch.answer(state, fact.sequence, fact.step, fact.at, tell)


def over_windows(watch: Watch, windows: Iterable[Any]) -> Watching:
    """What the newest step windows say, oldest first; nothing of it is remembered longer than they are."""
    state, means = Watching(), dict[str, float]()
    for w in windows:
        subject = w.skill or f"quest {w.quest_attempt_id}"
        finite = w.steps - w.nonfinite
        found: list[tuple[str, float]] = []
        if finite > 0:
            mean = w.loss_sum / finite
            found.append(("loss", mean))
            if subject in means:
                found.append(("loss_rise", mean - means[subject]))
            means[subject] = mean
        if w.grad_norm_max is not None:
            found.append(("grad_norm", w.grad_norm_max))
        watch.pass_to(state, w.last_step, _untold)
        for reading, value in found:
            watch.read(state, reading, subject, value, w.last_step, w.last_at, _untold)
    return state


def _untold(_: Change) -> None:
    """Windows are read anew each time; what they show is no happening."""


def dump(state: Watching) -> dict[str, Any]:
    """The state as JSON can hold it."""
    return {**plain(state), "struck": {name: plain(struck) for name, struck in state.struck.items()}}


def load(data: Mapping[str, Any]) -> Watching:
    """The state that `dump` wrote."""
    return Watching(**{**data, "struck": {name: Struck(**s) for name, s in data["struck"].items()}})
