"""An engine that only plays: it holds a save's locks and writes ring and rows as a trainer does, but trains nothing.

    python -m benchmarks.playback SAVE_FOLDER [--steps-per-s 15] [--exam-every 75]

For measuring the screen by itself: steps, texts, exams and log lines come at a real engine's pace. It ends on SIGTERM.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import signal
import sys
import time
from contextlib import closing
from pathlib import Path

from configs.paths import SaveFolder
from engine.link.ring import RingWriter
from engine.link.snapshot import BattleText, Snapshot, StepRecord
from engine.link.state import EngineState
from saves import exams, runs, steps
from saves.campaigns import active_campaign
from saves.database import open_save
from saves.locks import FileLock
from saves.rows import Exam, ExamItem, StepWindow
from skills.registry import get_skill

WINDOW = 50


def window(run_id: int, last: int, strains: list[float], seconds: float) -> StepWindow:
    """One row of history over the newest strains."""
    now = time.time()
    return StepWindow(
        run_id=run_id,
        first_step=last - len(strains) + 1,
        last_step=last,
        first_at=now - seconds * len(strains),
        last_at=now,
        active_s=seconds * len(strains),
        skill="bin",
        quest_attempt_id=None,
        floor=0.02,
        steps=len(strains),
        loss_sum=sum(strains) + 0.02 * len(strains),
        loss_min=min(strains) + 0.02,
        loss_last=strains[-1] + 0.02,
        strain_sum=sum(strains),
        strain_last=strains[-1],
        zone_recovery=0,
        zone_productive=len(strains),
        zone_stretch=0,
        zone_overload=0,
        zone_unknown=0,
        new_bests=0,
        misses=0,
        nonfinite=0,
        longest_streak=len(strains),
        tokens=128 * len(strains),
        trained_tokens=40 * len(strains),
        examples=32 * len(strains),
        grad_norm_sum=0.8 * len(strains),
        grad_norm_max=0.9,
        learning_rate=0.02,
    )


def exam(run_id: int, step: int, index: int, draw: random.Random) -> tuple[Exam, list[ExamItem]]:
    """An exam of 64 fresh problems, about three quarters right."""
    skill = get_skill("bin")
    items = []
    for position in range(64):
        problem = skill.generate(3, index + position, "exam", "hatchling")
        right = draw.random() < 0.78
        items.append(
            ExamItem(
                position=position,
                item_index=index + position,
                operation=problem.operation,
                tier=problem.tier,
                problem_digest=problem.problem_digest,
                prompt=problem.prompt,
                expected=problem.answer,
                answer=problem.answer if right else problem.answer[::-1] + "①",
                result="crit" if right else "miss",
                correct=right,
            )
        )
    correct = sum(i.correct for i in items)
    found = Exam(
        run_id=run_id,
        step=step,
        skill="bin",
        level=3,
        mix="hatchling",
        kind="gate",
        first_index=index,
        items=len(items),
        correct=correct,
        weights="ema",
        duration_s=0.4,
        at=time.time(),
    )
    return found, items


def play(folder: SaveFolder, steps_per_s: float, exam_every: int) -> None:
    """Write until told to end."""
    folder.make()
    locks = [FileLock(folder.keeper_lock), FileLock(folder.trainer_lock)]
    if not all(lock.acquire() for lock in locks):
        raise SystemExit("an engine has this save")
    over: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: over.append(number))
    draw = random.Random(1)
    skill = get_skill("bin")
    seconds = 1 / steps_per_s
    with closing(open_save(folder, write=True)) as conn, RingWriter(folder.ring, run_id=None) as ring:
        campaign = active_campaign(conn)
        newest = steps.windows(conn, campaign.id, 1)
        step = newest[0].last_step if newest else 0
        run_id = runs.open_run(
            conn,
            campaign.id,
            first_step=step,
            parent_run_id=None,
            parent_checkpoint_id=None,
            pid=os.getpid(),
            environment={},
            exact=True,
        )
        strains: list[float] = []
        effort, last_text, index = 0.0, 0.0, 0
        due = time.monotonic()
        while not over:
            step += 1
            now = time.time()
            strain = 1.6 * math.exp(-step / 300) + 0.16 + 0.05 * math.sin(step / 40) + draw.uniform(0, 0.06)
            effort += strain
            strains.append(strain)
            ring.append(StepRecord(step, now, strain + 0.02, strain, 0.02, 0.8, 128, seconds))
            ring.publish(
                Snapshot(
                    state=EngineState.TRAINING,
                    run_id=run_id,
                    step=step,
                    stepped_at=now,
                    loss=strain + 0.02,
                    loss_ema=strain,
                    strain=strain,
                    strain_rate=-0.006,
                    effort=effort,
                    floor=0.02,
                    learning_rate=0.02,
                    grad_norm=draw.uniform(0.6, 0.9),
                    tokens_per_s=draw.uniform(1800, 2000),
                    steps_per_s=steps_per_s,
                    skill="bin",
                    training_level=3,
                    quest="BIN L3 drill",
                    quest_step=step % 200,
                    quest_steps=200,
                    next_exam_step=step - step % exam_every + exam_every,
                )
            )
            if now - last_text >= 0.5:
                last_text = now
                problem = skill.generate(3, step, "train", "hatchling")
                tokens = [*problem.prompt, "\n", *problem.answer, "\n"]
                context = len(problem.prompt) + 1
                losses = [None] * context + [abs(draw.gauss(0, 0.8)) for _ in tokens[context:]]
                ring.show(BattleText(step, now, f"BIN L3 {problem.operation}", tuple(tokens), tuple(losses)))
            if step % WINDOW == 0:
                steps.add_window(conn, window(run_id, step, strains[-WINDOW:], seconds))
                strains.clear()
            if step % exam_every == 0:
                exams.add_exam(conn, *exam(run_id, step, index, draw))
                index += 64
            due += seconds
            time.sleep(max(0.0, due - time.monotonic()))
        if strains:
            steps.add_window(conn, window(run_id, step, strains, seconds))
        runs.close_run(conn, run_id, step, "stopped")
    for lock in locks:
        lock.release()


def main(arguments: list[str]) -> int:
    """Play until told to end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps-per-s", type=float, default=15.0)
    parser.add_argument("--exam-every", type=int, default=75, help="steps")
    options = parser.parse_args(arguments)
    play(SaveFolder(options.folder), options.steps_per_s, options.exam_every)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
