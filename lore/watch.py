"""Watches facts by rules: what sets in, what it is made worse by, how far its cure is, and when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lore.combat import PAYING
from lore.conditions import RESULT_LETTER, Answers, Reading, WatchRule, Window
from lore.fold import KINDS, ExamFact
from lore.plain import plain
from lore.readings import READINGS

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
    severity: str = ""
    """With which it set in; empty where it ended."""


Tell = Callable[[Change], None]


class _Asked(NamedTuple):
    rule: str
    part: str
    """when, until or worse."""
    key: str
    condition: Any
    met: Callable[[float, float | None], bool]
    """Of a condition on a reading: whether it is as asked, see `lore.conditions`."""


class _AskedAnswers(NamedTuple):
    rule: str
    cooldown: int
    idle: bool
    """Whether being met again changes nothing while the rule is in force and cools down."""
    marks: bytes
    """Turns each answer as asked into a one."""
    stretch: bytes
    """As many ones as it asks in a row."""


class Watch:
    """Rules over readings and answers; knows nothing of tables."""

    def __init__(self, rules: Mapping[str, WatchRule]) -> None:
        self.rules = rules
        self._readings: dict[str, list[_Asked]] = {}
        self._answers: dict[str, list[_AskedAnswers]] = {"worse": [], "when": [], "until": []}
        for name, rule in rules.items():
            idle = not any(isinstance(condition, Answers) for condition in (*rule.worse, *rule.until))
            for part in ("worse", "when", "until"):
                for number, condition in enumerate(getattr(rule, part)):
                    if isinstance(condition, (Reading, Window)):
                        asked = _Asked(name, part, f"{name}/{part}/{number}", condition, condition.test())
                        self._readings.setdefault(condition.reading, []).append(asked)
                    elif isinstance(condition, Answers):
                        letters = condition.letters.encode()
                        marks, stretch = bytes.maketrans(letters, b"\1" * len(letters)), b"\1" * condition.in_a_row
                        self._answers[part].append(_AskedAnswers(name, rule.cooldown, idle, marks, stretch))
        self.reads = frozenset(self._readings)
        """The readings that its rules ask for."""
        self.given = {
            KINDS[table]: make for table, (make, names) in READINGS.items() if not self.reads.isdisjoint(names)
        }
        """By kind of fact what makes readings of it, where one of them is asked for."""
        self._keys = {
            name: [f"{name}/{part}/{n}" for part in ("worse", "when", "until") for n in range(len(getattr(rule, part)))]
            for name, rule in rules.items()
        }
        """By rule what the readings of its conditions are counted under."""
        self._timed = {
            name: [
                (f"{name}/until/{number}", condition)
                for number, condition in enumerate(rule.until)
                if isinstance(condition, (Reading, Window)) and condition.steps
            ]
            for name, rule in rules.items()
        }
        """By rule the key and the condition of what must have held for some steps to end it."""
        longest = max((len(asked.stretch) for part in self._answers.values() for asked in part), default=0)
        self._tail = min(WIDEST_TAIL, longest)
        self.tables = self._tables()
        """The tables whose facts it must see."""

    def _tables(self) -> frozenset[str]:
        if any(self._timed.values()) or any(rule.lasts is not None for rule in self.rules.values()):
            return STREAM_TABLES  # what ends as time passes is noticed at the first fact after it
        read = {table for table, (_, names) in READINGS.items() if not self.reads.isdisjoint(names)}
        return frozenset(read | {"exams"} if self._tail else read)

    # ---------------------------------------------------------------- time

    def pass_to(self, state: Watching, step: int, tell: Tell) -> None:
        """End what ends by itself up to ``step``."""
        timed = self._timed
        due = [
            name
            for name, struck in state.struck.items()
            if (struck.until is not None and struck.until <= step) or timed[name]
        ]
        for name in due:
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
        known = state.values.get(reading)
        if known is None:
            known = state.values[reading] = {}
        before, known[subject] = known.get(subject), value
        worse: list[str] = []
        for rule, part, key, condition, met in asked:
            runs = state.runs.get(key)
            if runs is None:
                runs = state.runs[key] = {}
            if not met(value, before):
                if subject in runs:
                    del runs[subject]
                continue
            run = runs.get(subject)
            if run is None:
                run = runs[subject] = [0, step]
            run[0] += 1
            if part == "until":
                if rule in state.struck:
                    self._cured(state, rule, condition, subject, run, step, tell)
            elif self._holds(condition, runs, known, step):
                if part == "worse":
                    worse.append(rule)
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
        struck = state.struck[rule]
        if not self._long_enough(condition, run, step):
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
        if not new or not self._tail:
            return
        text, old = state.tail + new, len(state.tail)
        codes = text.encode("ascii", "replace")
        hits: dict[str, int] = {}
        for asked in self._answers["when"]:
            rule, cooldown, idle, marks, stretch = asked
            cools_down = step - state.last_struck.get(rule, -cooldown) < cooldown
            if cools_down and (idle or rule not in state.struck):
                continue
            end = _last_end(marks, stretch, codes, old)
            if end:
                hits[rule] = max(hits.get(rule, 0), end)
                row = text[end - len(stretch) : end]
                worse = any(
                    a.rule == rule and _last_end(a.marks, a.stretch, codes, old) for a in self._answers["worse"]
                )
                self._strike(state, rule, [], row, step, at, worse, tell)
        for rule, _, _, marks, stretch in self._answers["until"]:
            if rule in state.struck and _last_end(marks, stretch, codes, old) > hits.get(rule, 0):
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
        tell(Change(name, "applied", step, severity))

    def _end(self, state: Watching, name: str, kind: str, step: int, tell: Tell) -> None:
        del state.struck[name]
        state.ended[name] = state.ended.get(name, 0) + 1
        # What it stood on must show itself anew, or one old reading would bring it back at once.
        for key in self._keys[name]:
            state.runs.pop(key, None)
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


def _last_end(marks: bytes, stretch: bytes, codes: bytes, old: int) -> int:
    """Where the last stretch of ones ends in ``codes`` by ``marks``, beyond the first ``old`` of them; 0 without one."""
    many = len(stretch)
    place = codes.translate(marks).rfind(stretch, max(0, old + 1 - many))
    return 0 if place < 0 else place + many


# ---------------------------------------------------------------- facts

STREAM_TABLES = frozenset({"exams", "holds", "level_ups", "drifts", "trials", "quest_attempts", "checkpoints"})
"""Tables with readings, and checkpoints, at which time passes."""


def take(watch: Watch, state: Watching, fact: Any) -> list[Change]:
    """Take one fact of the stream in; what set in or ended by it."""
    changes: list[Change] = []
    tell, kind, step, at = changes.append, type(fact), fact.step, fact.at
    if state.struck:
        watch.pass_to(state, step, tell)
    given = watch.given.get(kind)
    if given is not None:
        reads = watch.reads
        for reading, subject, value in given(fact):
            if reading in reads:
                watch.read(state, reading, subject, value, step, at, tell)
    if kind is ExamFact and fact.kind in PAYING:
        watch.answer(state, fact.sequence, step, at, tell)
    return changes


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
