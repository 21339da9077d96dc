"""A job is never lost and never counted twice, whoever dies; what cannot pass is not tried again."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from configs.errors import BlockedError, UsageError
from configs.jobs import JobRules, load_jobs
from configs.paths import SaveFolder, config_dir
from saves import jobs
from saves.connection import SaveConnection
from saves.database import open_save
from tests.saves.conftest import Clock

ALL = tuple(load_jobs().kinds)


def taken(conn: SaveConnection, owner: str = "one") -> jobs.Job:
    found = jobs.claim(conn, owner, ALL)
    assert found is not None
    return found


def told(conn: SaveConnection, job_id: int) -> list[str]:
    return [e.event for e in jobs.events(conn, job_id)]


def test_a_job_goes_its_way_and_every_transition_is_told(save: SaveConnection, time: Clock) -> None:
    made = jobs.submit(save, "report", {"of": "campaign"})
    assert (made.status, made.school, made.attempts, made.max_attempts) == ("pending", "analytics", 0, 3)
    time.move(2)
    held = taken(save)
    assert (held.id, held.status, held.attempts, held.lease_until) == (made.id, "claimed", 1, time() + 300)
    assert jobs.begin(save, made.id, "one", "here")
    time.move(1)
    assert jobs.complete(save, made.id, "one", {"pages": 3})
    done = jobs.job(save, made.id)
    assert (done.status, done.result, done.worker, done.lease_owner) == ("completed", {"pages": 3}, "here", None)
    assert (done.started_at, done.ended_at) == (time() - 1, time())
    assert told(save, made.id) == ["submitted", "claimed", "started", "completed"]
    assert jobs.mode(save) == "idle"


def test_the_most_urgent_goes_first_and_equals_in_their_order(save: SaveConnection) -> None:
    for priority in ("low", "normal", "critical", "normal", "idle", "high"):
        jobs.submit(save, "report", {}, priority=priority)
    order = [taken(save, str(n)) for n in range(6)]
    assert [j.priority for j in order] == ["critical", "high", "normal", "normal", "low", "idle"]
    assert order[2].id < order[3].id and jobs.claim(save, "more", ALL) is None


def test_the_same_key_is_the_same_job_until_it_has_ended(save: SaveConnection) -> None:
    first = jobs.submit(save, "report", {"n": 1}, key="daily")
    assert jobs.submit(save, "report", {"n": 2}, key="daily").id == first.id
    held = taken(save)
    assert jobs.submit(save, "report", {"n": 2}, key="daily").id == first.id
    jobs.complete(save, held.id, "one", {})
    assert jobs.submit(save, "report", {"n": 3}, key="daily").id != first.id


def test_only_the_leases_holder_finishes_a_job_and_saying_it_twice_counts_once(
    save: SaveConnection, time: Clock
) -> None:
    made = jobs.submit(save, "analytics", {})
    taken(save, "slow")
    time.move(301)
    assert [j.id for j in jobs.sweep(save)] == [made.id]
    assert jobs.job(save, made.id).status == "pending" and jobs.job(save, made.id).attempts == 1
    taken(save, "fast")
    effects = []
    assert not jobs.complete(save, made.id, "slow", {"by": "slow"}, effect=lambda _: effects.append("slow"))
    assert not jobs.begin(save, made.id, "slow", "there") and not jobs.renew(save, made.id, "slow", lease_s=300)
    assert jobs.fail(save, made.id, "slow", "transport", "gone") is None
    assert jobs.complete(save, made.id, "fast", {"by": "fast"}, effect=lambda _: effects.append("fast"))
    assert jobs.complete(save, made.id, "fast", {"by": "again"}, effect=lambda _: effects.append("fast"))
    assert not jobs.complete(save, made.id, "slow", {"by": "slow"})
    assert jobs.job(save, made.id).result == {"by": "fast"} and effects == ["fast"]
    assert told(save, made.id).count("completed") == 1


def test_a_result_and_its_effect_come_together_or_not_at_all(save: SaveConnection) -> None:
    made = jobs.submit(save, "analytics", {})
    taken(save)

    def refuse(conn: object) -> None:
        raise UsageError("no")

    with pytest.raises(UsageError):
        jobs.complete(save, made.id, "one", {}, effect=refuse)
    assert jobs.job(save, made.id).status == "claimed" and "completed" not in told(save, made.id)


def test_a_passing_error_waits_longer_each_time_and_then_ends(save: SaveConnection, time: Clock) -> None:
    made = jobs.submit(save, "inference", {})
    waits = []
    for _ in range(2):
        jobs.fail(save, made.id, taken(save).lease_owner or "", "connection_refused", "nobody there")
        held = jobs.job(save, made.id)
        assert held.status == "queued" and jobs.claim(save, "one", ALL) is None
        waits.append(held.not_before - time())
        time.move(waits[-1])
    assert waits == [5, 15]
    taken(save)
    last = jobs.fail(save, made.id, "one", "timeout", "too slow")
    assert last is not None and (last.status, last.attempts, last.ended_at) == ("timeout", 3, time())
    assert jobs.claim(save, "two", ALL) is None


@pytest.mark.parametrize("kind", sorted(jobs.FINAL))
def test_what_cannot_pass_is_not_tried_again(save: SaveConnection, kind: str) -> None:
    made = jobs.submit(save, "inference", {})
    taken(save)
    after = jobs.fail(save, made.id, "one", kind, "so it is")
    assert after is not None and after.ended and after.attempts == 1
    assert after.status == ("cancelled" if kind == "cancelled" else "failed")


def test_sparring_is_tried_once_also_when_its_worker_vanishes(save: SaveConnection, time: Clock) -> None:
    made = jobs.submit(save, "sparring", {})
    taken(save)
    time.move(301)
    assert [j.status for j in jobs.sweep(save)] == ["failed"]
    assert jobs.job(save, made.id).error_class == "lease_expired"


def test_a_renewed_lease_holds_and_a_dead_holder_is_not_waited_for(save: SaveConnection, time: Clock) -> None:
    made = jobs.submit(save, "archive", {})
    taken(save, "ghost")
    time.move(200)
    assert jobs.renew(save, made.id, "ghost", lease_s=300)
    time.move(200)
    assert jobs.sweep(save, alive=lambda _: None) == [] and jobs.warnings(save) == []
    assert [w.kind for w in jobs.warnings(save, alive=lambda _: False)] == ["orphaned"]
    assert [j.status for j in jobs.sweep(save, alive=lambda owner: owner != "ghost")] == ["pending"]


def test_a_clock_set_back_or_forward_loses_nothing(save: SaveConnection, time: Clock) -> None:
    made = jobs.submit(save, "archive", {})
    taken(save)
    time.move(-86_400)
    assert [j.id for j in jobs.sweep(save)] == [made.id]
    assert jobs.claim(save, "two", ALL) is not None
    time.move(7 * 86_400)
    assert not jobs.complete(save, made.id, "one", {})
    assert jobs.complete(save, made.id, "two", {})


def test_giving_back_costs_no_attempt_and_waiting_for_a_box_is_told_once(save: SaveConnection, time: Clock) -> None:
    made = jobs.submit(save, "inference", {})
    for _ in range(5):
        held = taken(save)
        assert held.attempts == 1
        assert jobs.put_off(save, made.id, "one", "no worker has this form", until=time() + 60)
        time.move(60)
    found = jobs.job(save, made.id)
    assert (found.attempts, found.status, found.error) == (0, "queued", "no worker has this form")
    assert told(save, made.id).count("put_off") == 1


def test_cancelling_takes_the_lease_and_trying_again_starts_anew(save: SaveConnection) -> None:
    made = jobs.submit(save, "report", {}, key="k")
    taken(save)
    assert jobs.cancel(save, made.id).status == "cancelled" == jobs.cancel(save, made.id).status
    assert not jobs.complete(save, made.id, "one", {})
    again = jobs.retry(save, made.id)
    assert (again.status, again.attempts, again.error) == ("pending", 0, None)
    jobs.complete(save, taken(save, "two").id, "two", {})
    with pytest.raises(BlockedError) as caught:
        jobs.retry(save, made.id)
    assert caught.value.code == "JOB_NOT_FAILED"
    with pytest.raises(BlockedError) as caught:
        jobs.cancel(save, made.id)
    assert caught.value.code == "JOB_ENDED"


def test_trying_again_what_another_job_does_meanwhile_is_refused(save: SaveConnection) -> None:
    made = jobs.submit(save, "report", {}, key="k")
    jobs.cancel(save, made.id)
    other = jobs.submit(save, "report", {}, key="k")
    with pytest.raises(BlockedError) as caught:
        jobs.retry(save, made.id)
    assert caught.value.code == "JOB_EXISTS" and str(other.id) in caught.value.fix


def test_too_much_is_refused_or_told_as_the_rules_say(save: SaveConnection) -> None:
    for _ in range(10):
        jobs.submit(save, "sparring", {})
    with pytest.raises(BlockedError) as caught:
        jobs.submit(save, "sparring", {})
    assert caught.value.code == "JOBS_FULL" and jobs.pressure(save)["sparring"].full
    for _ in range(20):
        jobs.submit(save, "data_gen", {})
    more = jobs.submit(save, "data_gen", {})
    assert jobs.events(save, more.id)[0].text == "more wait than 20"


def test_no_more_of_a_kind_run_than_may(save: SaveConnection) -> None:
    for _ in range(3):
        jobs.submit(save, "sparring", {})
    late = jobs.submit(save, "report", {}, priority="idle")
    assert taken(save, "one").kind == "sparring"
    assert taken(save, "two").id == late.id
    assert jobs.claim(save, "three", ALL) is None
    found = jobs.pressure(save)["sparring"]
    assert (found.pending, found.running) == (2, 1)


def test_a_job_that_nobody_takes_or_that_does_not_end_is_told(save: SaveConnection, time: Clock) -> None:
    jobs.submit(save, "report", {})
    jobs.submit(save, "archive", {})
    held = jobs.claim(save, "one", ["archive"])
    assert held is not None
    time.move(301)
    jobs.renew(save, held.id, "one", lease_s=300)
    assert [w.kind for w in jobs.warnings(save)] == ["stuck_pending"]
    for _ in range(10):
        time.move(200)
        jobs.renew(save, held.id, "one", lease_s=300)
    assert {w.kind for w in jobs.warnings(save)} == {"stuck_pending", "stuck_running"}


def test_many_critical_jobs_are_caught_up_with(save: SaveConnection) -> None:
    for _ in range(11):
        jobs.submit(save, "eval", {}, priority="critical")
    assert jobs.mode(save) == "catch_up"
    jobs.cancel(save, 1)
    assert jobs.mode(save) == "normal"


def test_old_jobs_and_events_go_and_unfinished_ones_stay(save: SaveConnection, time: Clock) -> None:
    exam, report, waits = (jobs.submit(save, k, {}) for k in ("eval", "report", "archive"))
    for kind, owner in (("eval", "one"), ("report", "two")):
        held = jobs.claim(save, owner, [kind])
        assert held is not None and jobs.complete(save, held.id, owner, {})
    time.move(8 * 86_400)
    assert jobs.forget(save) == 1
    assert [j.id for j in jobs.jobs(save)] == [waits.id, report.id]
    time.move(7 * 86_400)
    assert jobs.forget(save) == 1 and jobs.events(save, waits.id) == []
    with pytest.raises(UsageError):
        jobs.job(save, exam.id)


def test_many_workers_at_once_take_each_job_once(folder: SaveFolder, save: SaveConnection) -> None:
    wanted = {jobs.submit(save, "inference", {"n": n}).id for n in range(60)}
    free = load_jobs().model_dump()
    free["kinds"]["inference"]["running"] = None
    rules = JobRules.model_validate(free)
    done: list[int] = []

    def work(name: str) -> None:
        with closing(open_save(folder, write=True)) as conn:
            while (held := jobs.claim(conn, name, ["inference"], rules=rules)) is not None:
                done.append(held.id)
                jobs.complete(conn, held.id, name, {})

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(done) == sorted(wanted)
    assert jobs.counts(save)["completed"] == 60


def test_the_players_own_rules_count_and_a_wrong_one_is_named(save: SaveConnection) -> None:
    config_dir().mkdir(parents=True)
    (config_dir() / "jobs.yaml").write_text("kinds:\n  report: {attempts: 1}\n", encoding="utf-8")
    assert jobs.submit(save, "report", {}).max_attempts == 1
    (config_dir() / "jobs.yaml").write_text("lease:\n  renew_s: 200\n", encoding="utf-8")
    with pytest.raises(Exception, match="renew_s"):
        jobs.submit(save, "report", {})
    (config_dir() / "jobs.yaml").unlink()
    with pytest.raises(UsageError) as caught:
        jobs.submit(save, "dance", {})
    assert caught.value.code == "UNKNOWN_JOB_KIND"


def test_a_list_leaves_long_results_to_the_job_itself(save: SaveConnection) -> None:
    for size in (10, 5000):
        jobs.submit(save, "report", {"size": size})
        jobs.complete(save, taken(save, str(size)).id, str(size), {"text": "x" * size})
    newest, first = jobs.jobs(save, brief=True)
    assert newest.result is None and first.result == {"text": "x" * 10}
    assert newest.payload == {"size": 5000} and newest.status == "completed" and newest.worker is None
    assert jobs.jobs(save)[0].result == jobs.job(save, newest.id).result == {"text": "x" * 5000}
