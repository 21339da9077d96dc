"""The champion gate in words."""

from __future__ import annotations

from lore.figures import count, number, share
from realm_tui.runtime.figures import size
from realm_tui.runtime.gate_view import GateView
from realm_tui.runtime.ledger_view import FormView


def signed(value: float) -> str:
    """A difference of shares: ``+.12``, ``−.03``."""
    return f"{value:+.2f}".replace("0.", ".", 1).replace("-", "−")


def verdict_text(seen: GateView) -> str:
    """What is shown, and what that asks for."""
    if seen.verdict == "nobody":
        return "nobody challenges: save another form first"
    if seen.verdict == "alone":
        return "nobody reigns: crown the challenger, and later ones are held against it"
    if seen.refused:
        return seen.refused
    if seen.verdict == "unasked":
        return "the two never answered the same questions: let them, before you crown"
    low, high = seen.whole.interval(seen.alpha)
    told = f"{signed(seen.whole.gain or 0.0)} ({signed(low)} to {signed(high)})"
    if seen.verdict == "better":
        return f"the challenger is better: {told}"
    if seen.verdict == "worse":
        return f"the challenger is worse: {told}"
    wanted = seen.wanted
    more = f"; about {number(wanted)} more questions would show it" if wanted is not None else ""
    return f"no difference shown: {told}{more}"


def lines(seen: GateView) -> list[str]:
    """The gate as plain lines."""

    def told(form: FormView | None) -> str:
        if form is None:
            return "nobody"
        held = ", ".join(f"{s} {n}" for s, n in form.held.items())
        exam = form.exam
        sat = f"; {exam.skill} L{exam.level} {share(exam.correct, exam.items)}" if exam else ""
        return f"{form.name}, step {number(form.step)}, {size(form.bytes)}" + (f"; held {held}" if held else "") + sat

    out = [f"champion    {told(seen.champion)}", f"challenger  {told(seen.challenger)}", verdict_text(seen)]
    for bout in seen.bouts:
        pair = bout.pair
        low, high = pair.interval(seen.alpha)
        out.append(
            f"  {bout.skill} L{bout.level} ({bout.mix}): {pair.items} items, both {pair.both}, won {pair.better}, "
            f"lost {pair.worse}, neither {pair.neither}; {signed(pair.gain or 0.0)} ({signed(low)} to {signed(high)})"
        )
    if seen.cost.asked:
        out.append(f"cost: {count(seen.cost.asked, 'question')}, {seen.cost.seconds:.1f} s")
    if (seconds := seen.cost.of(64)) is not None:
        steps = seen.cost.steps(seconds)
        out.append(
            f"64 more problems for each take about {seconds:.1f} s"
            + (f", the time of {count(steps, 'step')}" if steps is not None else "")
        )
    if seen.before is not None:
        out.append(f"undo would crown {seen.before} again")
    return out
