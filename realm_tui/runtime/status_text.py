"""A status as words: the page of ``realm status`` and the one line for a status bar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.link.state import LIVING
from lore.figures import count, number, share
from lore.strain import trend, zone_word
from realm_tui.runtime.figures import age, left
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.status import OperationStatus, SkillStatus, Status


def status_text(status: Status) -> str:
    """The page: one fact a line, a dash for what is not known."""
    hero = status.hero
    lines = [f"{hero.title} · hero level {hero.level} · {status.campaign} · save {status.save}"]

    def fact(label: str, text: str) -> None:
        lines.append(f"  {label:<9} {text}")

    state = str(status.state)
    if status.state in LIVING:
        state += f", heard {age(status.ages_s['heartbeat'])} ago" if status.ages_s["heartbeat"] is not None else ""
        state += " (silent)" if status.stale else ""
        state += f": {clean(status.progress)}" if status.progress else ""
    fact("engine", state)
    fact("step", f"{number(status.step)}   last step {_ago(status.ages_s['step'])}")
    fact("loss", f"{number(status.loss, 3)}   gain {number(status.gain, 3)}   effort {number(status.effort, 1)}")
    fact("strain", _strain(status))
    if status.state in LIVING:
        fact("speed", f"{number(status.tokens_per_s)} tokens/s   {number(status.steps_per_s, 1)} steps/s")
    if status.computes:
        fact("computes", computes_text(status.computes))
    for skill_id, skill in status.skills.items():
        lines.extend(f"  {label:<9} {text}" for label, text in _skill(skill_id, skill))
    fact("exam", f"next at step {number(status.next_exam_step)}   last {_ago(status.ages_s['exam'])}")
    quest = status.quest
    if quest is not None:
        fact(
            "quest",
            f"{clean(quest.name)}   step {number(quest.step)} of {number(quest.steps)}   left {left(quest.eta_s)}"
            f"   held-out loss {number(quest.held_out_loss, 3)}",
        )
    queue = status.queue
    fact("queue", f"{queue.high} high, {queue.normal} normal, {queue.low} low")
    fact("saved", f"step {number(status.last_checkpoint_step)}, {_ago(status.ages_s['checkpoint'])}")
    fact("champion", status.champion.name if status.champion is not None else "–")
    if status.incidents:
        fact("incidents", f"{status.incidents} open")
    for blocker in status.blockers:
        fact("BLOCKED", f"{blocker.code}: {clean(blocker.reason)}")
        fact("", f"fix: {clean(blocker.fix)}")
    return "\n".join(lines)


def status_line(status: Status) -> str:
    """One line for a tmux bar or a login banner; the same numbers as the page."""
    parts = [f"{status.hero.name} {status.state}", f"step {number(status.step)}", f"loss {number(status.loss, 3)}"]
    parts += [
        f"{skill_id} {skill.mastered} won {skill.held} held, L{skill.training} {_share(skill)}"
        for skill_id, skill in status.skills.items()
    ]
    if status.queue.total:
        parts.append(f"queue {status.queue.total}")
    if status.blockers:
        parts.append(f"BLOCKED {status.blockers[0].code}")
    return " | ".join(parts)


def computes_text(placement: Mapping[str, Any]) -> str:
    """How a run computes, in one line: what was chosen for it on its machine."""
    words = [f"on {placement['device']}, {count(placement['threads'], 'CPU thread')}"]
    words += [f"weights {placement['weights']}", f"products {placement['compute']}"]
    if placement["kernel"] == "lean":
        words.append("passes by hand")
    else:
        words.append(f"attention {placement['attention']}")
        words.append(f"norms {placement.get('kernels', 'own')}")
    twice = placement.get("checkpointed_blocks", 0)
    if twice:
        words.append("all blocks computed twice" if twice < 0 else f"{count(twice, 'block')} computed twice")
    return "; ".join(words)


def _strain(status: Status) -> str:
    if status.strain is None:
        return "–"
    from configs.loader import load_game

    direction = trend(status.strain_rate, load_game().strain)
    return f"{number(status.strain, 3)}   {zone_word(status.zone, 'plain').lower()}" + (
        f", {direction}" if direction else ""
    )


def _skill(skill_id: str, skill: SkillStatus) -> list[tuple[str, str]]:
    lines = [(skill_id, f"{skill.mastered} won, {skill.held} held, of {skill.max_level}   mix {skill.mix}")]
    if skill.lost:
        lines.append(("", "lost: " + ", ".join(f"L{level}" for level in skill.lost)))
    lines.append(("", f"at L{skill.training} {skill.level_name or ''}: {_share(skill)}"))
    if skill.exam_id is not None:
        lines.append(("", f"exams that reached the gate: {skill.streak} of {skill.streak_needed}"))
    if skill.operations:
        lines.append(("", "; ".join(_operation(skill, name, op) for name, op in skill.operations.items())))
    if skill.not_yet:
        lines.append(("", "not yet: " + ", ".join(skill.not_yet)))
    return lines


def _operation(skill: SkillStatus, name: str, op: OperationStatus) -> str:
    marks = [
        *([f"chance {_decimal(op.chance)}"] if op.chance is not None else []),
        *(["cannot be told from it"] if name in skill.at_chance else []),
        *(["weakest"] if name == skill.weakest else []),
    ]
    return f"{name} {share(op.correct, op.items)}" + (f" ({', '.join(marks)})" if marks else "")


def _decimal(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")


def _share(skill: SkillStatus) -> str:
    if skill.correct is None or not skill.items:
        return "no exam yet"
    text = f"{share(skill.correct, skill.items)} = {skill.correct}/{skill.items}"
    if skill.interval is not None:
        text += f" [{_decimal(skill.interval[0])} … {_decimal(skill.interval[1])}]"
    return text


def _ago(seconds: float | None) -> str:
    return "–" if seconds is None else f"{age(seconds)} ago"
