"""The Scriveners: how a campaign goes in figures, the same as a paper to read, and a look after program, machine and save."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from configs import clock
from realm_tui.runtime.jobs.kinds import Nothing, Workplace
from realm_tui.runtime.opened import OpenedSave, opened

DAYS = 14
"""Newest days that are listed."""
NEUTRAL = 0.01
"""Impact up to which a quest counts as neither good nor bad."""


def analytics(number: int, payload: Nothing, place: Workplace) -> Mapping[str, Any]:
    """Days, skills, peaks, and what each finished quest did."""
    with opened(place.folder) as save:
        return _figures(save)


def report(number: int, payload: Nothing, place: Workplace) -> Mapping[str, Any]:
    """The campaign as a Markdown paper among the save's papers."""
    with opened(place.folder) as save:
        figures = _figures(save)
        text = _paper(save, figures)
    place.papers.mkdir(mode=0o700, exist_ok=True)
    path = place.papers / f"report-step-{figures['step']}-job{number}.md"
    part = path.with_name(f".part-{path.name}")
    part.write_text(text, encoding="utf-8")
    part.rename(path)
    return {"file": str(path), "bytes": path.stat().st_size, "step": figures["step"]}


def health_check(number: int, payload: Nothing, place: Workplace) -> Mapping[str, Any]:
    """What `realm doctor` finds, the save's open incidents, and jobs that hang."""
    from realm_tui.runtime.doctor import examine
    from realm_tui.runtime.jobs.owner import lives
    from saves import jobs
    from saves.incidents import open_incidents

    found = [f.as_dict() for f in examine(place.folder, tty=True, encoding="utf-8")]
    with opened(place.folder) as save:
        troubles = [
            {"id": i.id, "rule": i.rule, "severity": i.severity, "title": i.title}
            for i in open_incidents(save.conn, campaign_id=save.campaign.id)
        ]
        hanging = [{"job": w.job.id, "warning": w.kind} for w in jobs.warnings(save.conn, alive=lives)]
    bad = [f["name"] for f in found if f["state"] == "bad"]
    critical = any(t["severity"] == "critical" for t in troubles)
    state = "critical" if bad or critical else "warning" if troubles or hanging else "healthy"
    return {"state": state, "findings": found, "incidents": troubles, "jobs": hanging}


def _figures(save: OpenedSave) -> dict[str, Any]:
    from saves.between import days
    from saves.exams import lost_levels, mastered_level
    from saves.ledger import champion, live_checkpoints
    from saves.peaks import effort_by_skill, peaks

    conn, campaign = save.conn, save.campaign
    effort = effort_by_skill(conn, campaign.id)
    every = days(conn, campaign.id)
    forms = live_checkpoints(conn, campaign.id)
    crowned = champion(conn, campaign.id)
    reached = conn.execute(
        "SELECT max(last_step) FROM live_step_windows WHERE run_campaign_id = ?", (campaign.id,)
    ).fetchone()[0]
    return {
        "campaign": campaign.id,
        "hero": save.hero.id,
        "step": reached if reached is not None else campaign.starting_step,
        "active_s": sum(d.active_s for d in every),
        "days": [asdict(d) for d in every[:DAYS]],
        "skills": {
            skill: {
                "won": mastered_level(conn, campaign.id, skill),
                "lost": lost_levels(conn, campaign.id, skill),
                "effort": effort.get(skill),
                "exams": _exams(conn, campaign.id, skill),
            }
            for skill in save.hero.skills
        },
        "peaks": asdict(peaks(conn, campaign.id)),
        "forms": len(forms),
        "champion": next((f.name for f in forms if crowned and f.id == crowned.checkpoint_id), None),
        "quests": [_impact(conn, campaign.id, row) for row in _finished(conn, campaign.id)],
    }


def _exams(conn: sqlite3.Connection, campaign_id: str, skill: str) -> dict[str, Any]:
    row = conn.execute(
        """SELECT count(*) AS exams, sum(items) AS items, sum(correct) AS correct FROM live_exams
           WHERE run_campaign_id = ? AND skill = ?""",
        (campaign_id, skill),
    ).fetchone()
    return {"count": row["exams"], "items": row["items"] or 0, "correct": row["correct"] or 0}


def _finished(conn: sqlite3.Connection, campaign_id: str) -> list[sqlite3.Row]:
    return conn.execute(
        """SELECT a.*, q.name FROM live_quest_attempts a JOIN quests q ON q.id = a.quest_id
           WHERE a.run_campaign_id = ? AND a.state = 'completed' ORDER BY a.id DESC LIMIT 50""",
        (campaign_id,),
    ).fetchall()


def _impact(conn: sqlite3.Connection, campaign_id: str, attempt: sqlite3.Row) -> dict[str, Any]:
    """What a quest did: -0.5 × change of training loss + 0.3 × change of accuracy - 0.2 × change of held-out loss, each

    relative to where it began (accuracy: in shares); None where a part is not known.
    """
    windows = conn.execute(
        """SELECT loss_sum / steps AS loss FROM live_step_windows WHERE quest_attempt_id = ? AND steps > 0
           ORDER BY run_id, first_step""",
        (attempt["id"],),
    ).fetchall()
    train = _relative(windows[0]["loss"], windows[-1]["loss"]) if len(windows) > 1 else None
    held_out = _relative(attempt["loss_before"], attempt["loss_after"])
    accuracy = None
    before = _share(conn, campaign_id, "step <= ? ORDER BY step DESC, id DESC", attempt["first_step"])
    after = _share(conn, campaign_id, "step >= ? ORDER BY step, id", attempt["last_step"])
    if before is not None and after is not None and before[:2] == after[:2]:
        accuracy = after[2] - before[2]
    known = [part for part in (train, held_out, accuracy) if part is not None]
    score = -0.5 * (train or 0.0) + 0.3 * (accuracy or 0.0) - 0.2 * (held_out or 0.0) if known else None
    verdict = "unknown" if score is None else "neutral" if abs(score) <= NEUTRAL else "good" if score > 0 else "bad"
    return {
        "quest": attempt["name"],
        "train_loss": train,
        "held_out_loss": held_out,
        "accuracy": accuracy,
        "impact": score,
        "verdict": verdict,
    }


def _relative(before: float | None, after: float | None) -> float | None:
    return (after - before) / before if before and after is not None else None


def _share(conn: sqlite3.Connection, campaign_id: str, which: str, step: int) -> tuple[str, int, float] | None:
    row = conn.execute(
        f"""SELECT skill, level, correct * 1.0 / items AS share FROM live_exams
            WHERE run_campaign_id = ? AND items > 0 AND {which} LIMIT 1""",
        (campaign_id, step),
    ).fetchone()
    return None if row is None else (row["skill"], row["level"], row["share"])


def _paper(save: OpenedSave, figures: Mapping[str, Any]) -> str:
    from lore.figures import number
    from realm_tui.runtime.foreign import clean

    lines = [
        f"# {clean(save.hero.title)}: {figures['campaign']}, step {number(figures['step'])}",
        "",
        f"Written {clock.utc(clock.now()):%Y-%m-%d %H:%M} UTC. {figures['active_s'] / 3600:.1f} hours trained, "
        f"{figures['forms']} forms kept, champion: {figures['champion'] or '–'}.",
        "",
        "| Skill | Level won | Lost | Exams | Right |",
        "|---|---|---|---|---|",
    ]
    for skill, found in figures["skills"].items():
        asked = found["exams"]
        right = f"{asked['correct'] / asked['items']:.0%}" if asked["items"] else "–"
        lost = ", ".join(map(str, found["lost"])) or "–"
        lines.append(f"| {skill} | {found['won']} | {lost} | {asked['count']} | {right} |")
    lines += ["", "| Day | Steps | Hours |", "|---|---|---|"]
    lines += [f"| {d['day']} | {number(d['steps'])} | {d['active_s'] / 3600:.1f} |" for d in figures["days"]]
    if figures["quests"]:
        lines += ["", "| Quest | Impact | Verdict |", "|---|---|---|"]
        lines += [
            f"| {clean(q['quest'])} | {'–' if q['impact'] is None else format(q['impact'], '+.3f')} | {q['verdict']} |"
            for q in figures["quests"]
        ]
    return "\n".join(lines) + "\n"
