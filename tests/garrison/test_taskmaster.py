"""Tasks begin by themselves only where they may: one at a time, the highest whose cooldown has passed, beside the card that trains."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import pytest
from typer.testing import CliRunner

from configs import clock
from configs.errors import BlockedError, RealmError, UsageError
from configs.jobs import load_jobs
from configs.paths import SaveFolder
from configs.tasks import TaskRules, load_tasks
from realm_tui.cli.main import app
from realm_tui.runtime import taskmaster
from realm_tui.runtime.opened import opened
from saves import jobs, patrols, runs
from saves.database import open_save
from saves.patrols import Patrol

START = 1_900_000_000.0


def own_tasks(folder: SaveFolder, text: str) -> None:
    file = folder.root.parent.parent / "config" / "tasks.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def trains_on(folder: SaveFolder, device: str) -> None:
    with opened(folder, write=True) as save:
        runs.open_run(
            save.conn, save.campaign.id, first_step=0, parent_run_id=None, parent_checkpoint_id=None, pid=1,
            environment={"placement": {"device": device}}, exact=True,
        )  # fmt: skip


def step(folder: SaveFolder) -> str | None:
    with opened(folder, write=True) as save:
        return taskmaster.step(save.conn, "arena", save.campaign.id)


def finish(folder: SaveFolder) -> None:
    """Somebody does the job."""
    with closing(open_save(folder, write=True)) as conn:
        job = jobs.claim(conn, "worker-1", list(load_jobs().kinds))
        assert job is not None
        jobs.begin(conn, job.id, "worker-1", "here")
        jobs.complete(conn, job.id, "worker-1", {})


def test_nothing_begins_by_itself_unless_the_player_lets_it(folder: SaveFolder) -> None:
    assert step(folder) is None
    own_tasks(folder, "enabled: true\n")
    assert step(folder) == "quick_exams"


def test_one_at_a_time_by_priority_and_cooldown(folder: SaveFolder) -> None:
    own_tasks(folder, "enabled: true\n")
    clock.use(lambda: START)
    begun = []
    for _ in range(3):
        begun.append(step(folder))
        assert step(folder) is None, "one runs already"
        finish(folder)
    assert begun == ["quick_exams", "sparring_bin", "sparring_sy"]
    clock.use(lambda: START + 61)
    assert step(folder) == "quick_exams"
    with closing(open_save(folder, write=False)) as conn:
        outcomes = {r.task: r.outcome for r in patrols.last_runs(conn).values()}
    assert outcomes == {"quick_exams": "running", "sparring_bin": "completed", "sparring_sy": "completed"}


def seen(place: str, busy: float | None, status: str = "healthy") -> Patrol:
    cards = None if busy is None else [{"name": "RTX 3090", "busy": busy}]
    return Patrol(box=place, status=status, facts={"cards": cards}, at=START)


def test_a_place_is_idle_below_the_busy_share_and_never_this_one() -> None:
    rules = load_tasks()
    places = {
        "arena": seen("arena", 0),
        "inn": seen("inn", 39),
        "busy": seen("busy", 41),
        "outpost": seen("outpost", None),
    }
    places["gone"] = seen("gone", 0, "offline")
    assert taskmaster.idle_places(places, "arena", rules) == ["inn", "outpost"]


def test_the_card_that_trains_is_left_alone_until_another_place_is_idle(folder: SaveFolder) -> None:
    own_tasks(folder, "enabled: true\n")
    trains_on(folder, "cuda:0")
    assert step(folder) == "generate_quests", "what needs no card goes on"
    finish(folder)
    with closing(open_save(folder, write=True)) as conn:
        patrols.looked(conn, "inn", "healthy", {"cards": [{"name": "RTX 3090", "busy": 12}]}, [])
    assert step(folder) == "quick_exams"


def test_a_run_whose_job_is_gone_does_not_stand_in_the_way(folder: SaveFolder) -> None:
    own_tasks(folder, "enabled: true\n")
    with closing(open_save(folder, write=True)) as conn:
        patrols.begin_task(conn, "report", job_id=None)
    assert step(folder) == "quick_exams"
    with closing(open_save(folder, write=False)) as conn:
        assert patrols.last_runs(conn)["report"].outcome == "gone"


def test_on_command_a_task_begins_whatever_its_cooldown_but_never_twice(folder: SaveFolder) -> None:
    with opened(folder, write=True) as save:
        taskmaster.begin(save.conn, "health_check")
        with pytest.raises(BlockedError) as twice:
            taskmaster.begin(save.conn, "health_check")
        assert twice.value.code == "TASK_RUNS"
        with pytest.raises(UsageError, match="health_check"):
            taskmaster.begin(save.conn, "helth_check")


def test_every_shipped_task_says_what_its_job_reads() -> None:
    from realm_tui.runtime.jobs.kinds import kind_of

    for name, rule in load_tasks().tasks.items():
        assert kind_of(rule.job).read(rule.payload), name


def test_a_players_own_task_needs_no_code_and_a_broken_file_is_named(folder: SaveFolder) -> None:
    own_tasks(folder, "tasks: {nightly: {title: pack, priority: 99, cooldown_s: 86400, job: archive}}\nenabled: true\n")
    assert step(folder) == "nightly"
    own_tasks(folder, "tasks: {nightly: {title: pack, priority: 99, cooldown_s: 86400, job: archve}}\n")
    with pytest.raises(RealmError, match="archve"):
        load_tasks()
    with pytest.raises(Exception, match="busy_share"):
        TaskRules.model_validate({"busy_share": 2, "tasks": {}})


def test_the_command_line_lists_begins_and_waits(folder: SaveFolder) -> None:
    def realm(*words: str) -> Any:
        done = CliRunner().invoke(app, [*words, "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    listed = realm("task", "list")
    assert not listed["enabled"] and listed["tasks"][0]["id"] == "quick_exams"
    done = realm("task", "run", "figures", "--wait")
    assert done["status"] == "completed" and "skills" in json.dumps(done["result"])
    after = {t["id"]: t for t in realm("task", "list")["tasks"]}
    assert after["figures"]["last"]["outcome"] == "completed"
    assert "cooldown" in after["figures"]["waits"]
