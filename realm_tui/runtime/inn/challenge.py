"""Auto-deploy asks the gate by itself: a form that may be better and the champion answer the same fresh questions, as a job.

Where they are asked is what `inn.inference` says of exams: a hero whose exams are asked elsewhere is held against itself there too, and
nothing is asked on the machine that trains it. What came of it are two exams, which the gate and `realm_tui.runtime.inn.succession.due` read.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from configs import clock
from configs.elsewhere import asked_elsewhere, proves
from configs.facilities import load_facilities
from configs.paths import SaveFolder
from engine.link.client import engine_alive
from realm_tui.runtime.gate_view import gate_view
from realm_tui.runtime.inn.succession import candidates, was_refused
from realm_tui.runtime.opened import OpenedSave, opened
from saves import answers, jobs

KEY = "gate-"
"""How the keys of its jobs begin."""
REST_S = 1800.0
"""Rest before the two are asked again what nobody answered."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be asked of two forms."""

    challenger: str
    champion: str
    skill: str
    items: int
    key: str
    """Of its job: the two, the skill, and how much of it they answered before."""


def question(save: OpenedSave, place: str, *, elsewhere: bool) -> Question | None:
    """What the gate lacks before it can say whether a form may go to work at a place; None: nothing.

    Args:
        save: the save.
        place: where auto-deploy would bring it.
        elsewhere: the two are asked on another machine. Then also the newest form after the champion is asked; where asking would hold
            training up, only one that an exam has shown to be the best so far.
    """
    rules = save.rules.inn.crown
    if not (rules.auto_deploy and rules.ask_items):
        return None
    for form in candidates(save, newest=elsewhere):
        seen = gate_view(save, form.id)
        if seen.verdict == "better":
            return None  # it is to be brought before anybody else is asked
        if seen.champion is None or seen.verdict not in ("unasked", "unshown") or was_refused(save, place, form):
            continue
        answered = dict.fromkeys(save.hero.skills, 0)
        for bout in seen.bouts:
            if bout.skill in answered:
                answered[bout.skill] += bout.pair.items
        skill = min(answered, key=lambda name: answered[name])
        items = min(rules.ask_items, rules.ask_most - answered[skill])
        if items >= 1:
            key = f"{KEY}{form.name}-{seen.champion.name}-{skill}-{answered[skill]}"
            return Question(form.name, seen.champion.name, skill, items, key)
    return None


def ask_at_gate(folder: SaveFolder, place: str) -> int | None:
    """Put the next question of the gate into the table of jobs; the job's number, None where there is none to ask now.

    One is asked at a time, and only while an engine runs: it puts the questions and marks the answers. A question whose job the player
    cancelled is not asked again.

    Raises:
        RealmError: the save, the rules or the places cannot be read.
    """
    if not engine_alive(folder):
        return None
    places = load_facilities()
    if not proves(places, place):
        return None
    with opened(folder) as save:
        elsewhere = asked_elsewhere(save.rules.inn.inference, save.hero, places)
        wanted = None if _under_way(save.conn) else question(save, place, elsewhere=elsewhere)
        if wanted is None or _rests(save.conn, wanted.key):
            return None
    payload = {
        "skill": wanted.skill,
        "items": wanted.items,
        "form": wanted.challenger,
        "against": wanted.champion,
        "elsewhere": elsewhere,
    }
    with opened(folder, write=True) as save:
        return jobs.submit(save.conn, "eval", payload, priority="low", key=wanted.key).id


def _under_way(conn: sqlite3.Connection) -> bool:
    """Whether two forms are being asked, or wait for it."""
    from engine.trainer.plan_asked import PAIR

    return any(request.sitting.startswith(PAIR) for request in answers.open_requests(conn)) or any(
        (job.key or "").startswith(KEY)
        for job in jobs.jobs(conn, statuses=(*jobs.WAITING, *jobs.HELD), kinds=("eval",))
    )


def _rests(conn: sqlite3.Connection, key: str) -> bool:
    """Whether the same was asked a while ago, or the player does not want it asked."""
    last = jobs.newest(conn, key)
    return last is not None and (last.status == "cancelled" or clock.now() - (last.ended_at or 0.0) < REST_S)
