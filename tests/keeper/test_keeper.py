"""The keeper: a trainer's end is understood, what can be started again is, and nobody's command is lost or done twice."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from configs.errors import RealmError
from configs.paths import SaveFolder
from engine.link.client import Reply, say_hello, send_command
from engine.link.endpoint import MAX_SOCKET_PATH_BYTES, read_pointer
from engine.link.protocol import Command, Verb
from engine.link.state import EngineState
from saves.campaigns import active_campaign
from saves.database import open_save
from saves.locks import FileLock
from saves.runs import latest_run, open_run
from tests.keeper.conftest import DEADLINE_S, Keep, until

SERVES: dict[str, Any] = {}


def send_in_thread(keep: Keep, command: Command) -> tuple[threading.Thread, list[Reply | RealmError]]:
    """Send a command that is answered later."""
    answers: list[Reply | RealmError] = []

    def send() -> None:
        try:
            answers.append(send_command(keep.folder, command, timeout_s=DEADLINE_S))
        except RealmError as error:
            answers.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    return thread, answers


# ---------------------------------------------------------------- a quiet life


def test_hello_names_the_save_both_processes_and_the_state(keep: Keep) -> None:
    keep.start(SERVES)
    trainer = keep.serving()
    hello = until(lambda: (h := say_hello(keep.folder)).state is EngineState.TRAINING and h)
    assert (hello.save, hello.keeper_pid, hello.trainer_pid) == ("hearth", keep.keeper.pid, trainer["pid"])
    assert hello.same_version
    assert keep.trace("born")[0]["hup_ignored"]


def test_a_command_is_answered_with_the_step_at_which_it_took_effect(keep: Keep) -> None:
    keep.start(SERVES)
    heard: list[str] = []
    reply = send_command(keep.folder, Command(Verb.PAUSE, {"why": "tea"}), on_progress=heard.append)
    assert reply == Reply(True, 42, {"echo": {"why": "tea"}})
    assert heard == ["working on pause"]


def test_stop_is_answered_when_the_trainer_is_gone_and_everything_is_tidied_away(keep: Keep) -> None:
    keep.start(SERVES)
    keep.serving()
    path = read_pointer(keep.folder)
    assert path is not None
    reply = send_command(keep.folder, Command(Verb.STOP))
    assert reply.ok
    assert reply.step == 42
    assert keep.ended() == 0
    assert keep.free()
    assert not path.exists()
    assert read_pointer(keep.folder) is None
    assert keep.incidents() == []
    with pytest.raises(RealmError) as refused:
        say_hello(keep.folder)
    assert refused.value.code == "NO_ENGINE"
    assert refused.value.exit_code == 3


def test_a_trainer_that_ends_by_itself_without_a_fault_ends_the_keeper(keep: Keep) -> None:
    keep.start({"exit": 0})
    assert keep.ended() == 0
    assert keep.lives() == 1
    assert keep.incidents() == []


def test_term_stops_politely(keep: Keep) -> None:
    keep.start(SERVES)
    keep.serving()
    keep.keeper.terminate()
    assert keep.ended() == 0
    assert [entry["verb"] for entry in keep.trace("verb")] == ["stop"]
    assert keep.trace("verb")[0]["args"] == {}


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_closed_terminal_and_ctrl_c_do_not_end_it(keep: Keep, number: signal.Signals) -> None:
    keep.start(SERVES)
    trainer = keep.serving()
    keep.keeper.send_signal(number)
    os.kill(trainer["pid"], number)
    assert send_command(keep.folder, Command(Verb.PAUSE)).ok
    assert keep.lives() == 1


# ---------------------------------------------------------------- bad ends


@pytest.mark.parametrize(
    ("life", "rule", "severity"),
    [
        ({"exit": 10}, "oom_crash", "critical"),
        ({"signal": int(signal.SIGKILL)}, "killed_crash", "high"),
        ({"exit": 1, "say": "OSError: [Errno 28] No space left on device"}, "disk_crash", "high"),
    ],
)
def test_a_bad_end_is_told_by_name_with_the_way_out(keep: Keep, life: dict[str, Any], rule: str, severity: str) -> None:
    keep.start(life, rules={"max_restarts": 0})
    assert keep.ended() == 1
    found = {incident.rule: incident for incident in keep.incidents()}
    assert found.keys() == {rule, "engine_given_up"}
    assert found[rule].severity == severity
    assert found[rule].fix
    assert found["engine_given_up"].severity == "critical"
    assert keep.lives() == 1


def test_it_is_started_again_at_most_three_times_and_then_given_up_with_the_reason(keep: Keep) -> None:
    keep.start({"exit": 12})
    assert keep.ended() == 1
    assert keep.lives() == 4
    found = {incident.rule: incident for incident in keep.incidents()}
    assert found["cuda_crash"].count == 4
    assert "3 restarts" in found["engine_given_up"].title
    assert "graphics card" in found["engine_given_up"].title
    assert keep.free()


def test_restarts_long_ago_do_not_count_where_the_hero_was_saved_since(keep: Keep) -> None:
    lives = [{"saved": 10 * n, "exit": 1} for n in range(3)]
    keep.start(*lives, {"exit": 0}, rules={"max_restarts": 1, "restart_window_s": 1e-6})
    assert keep.ended() == 0
    assert keep.lives() == 4


@pytest.mark.parametrize("life", [{"exit": 1}, {"saved": 30, "exit": 1}])
def test_a_trainer_that_never_comes_to_a_new_checkpoint_is_given_up_however_slowly_it_ends(
    keep: Keep, life: dict[str, Any]
) -> None:
    keep.start(life, rules={"max_restarts": 2, "restart_window_s": 1e-6})
    assert keep.ended() == 1
    assert keep.lives() == 3
    found = {incident.rule: incident for incident in keep.incidents()}
    assert "2 restarts" in found["engine_given_up"].title


def test_what_keeps_it_from_waking_is_told_in_its_words_and_not_tried_again(keep: Keep) -> None:
    keep.start({"exit": 16, "say": "the form is gone. Way out: import an export."})
    assert keep.ended() == 1
    assert keep.lives() == 1
    found = {incident.rule: incident for incident in keep.incidents()}
    assert found.keys() == {"refused_crash", "engine_given_up"}
    assert "the form is gone" in found["refused_crash"].title and found["refused_crash"].fix == "import an export"


def test_a_configuration_that_cannot_work_is_not_tried_again(keep: Keep) -> None:
    keep.start({"exit": 15})
    assert keep.ended() == 1
    assert keep.lives() == 1


def test_a_crash_heals_by_itself_and_clients_stay_connected(keep: Keep) -> None:
    keep.start({"dies_of": "exam"}, SERVES)
    keep.serving()
    thread, answers = send_in_thread(keep, Command(Verb.EXAM))
    thread.join(DEADLINE_S)
    (answer,) = answers
    assert isinstance(answer, Reply)
    assert answer.ok
    assert keep.lives() == 2
    assert say_hello(keep.folder).trainer_pid == keep.serving(2)["pid"]
    (incident,) = keep.incidents()
    assert incident.rule == "unknown_crash"
    assert incident.step == 41


def test_a_log_line_of_an_earlier_life_does_not_explain_a_later_end(keep: Keep) -> None:
    keep.start(
        {"exit": 1, "say": "CUDA error: device-side assert"}, {"exit": 1, "say": "oh"}, rules={"max_restarts": 1}
    )
    assert keep.ended() == 1
    assert {incident.rule for incident in keep.incidents()} == {"cuda_crash", "unknown_crash", "engine_given_up"}


def test_a_child_the_trainer_left_behind_does_not_hide_its_end(keep: Keep) -> None:
    keep.start({"grandchild": True, "dies_of": "exam", "exit_code": 15})
    keep.serving()
    thread, answers = send_in_thread(keep, Command(Verb.EXAM))
    assert keep.ended() == 1
    thread.join(DEADLINE_S)
    assert isinstance(answers[0], Reply)
    assert answers[0].error is not None


def test_logs_start_anew_when_they_grow(keep: Keep) -> None:
    keep.start({"exit": 1, "say": "x" * 5000}, {"exit": 0, "say": "short"})
    assert keep.ended() == 0
    logs = keep.folder.logs
    assert "short" in (logs / "trainer.log").read_text()
    assert "xxx" not in (logs / "trainer.log").read_text()
    assert "xxx" in (logs / "trainer.log.1").read_text()


def test_a_program_that_cannot_be_started_is_an_end_like_any_other(keep: Keep) -> None:
    keep.folder.logs.joinpath("trainer.log").mkdir()
    keep.start(SERVES)
    assert keep.ended() == 1
    assert "engine_given_up" in {incident.rule for incident in keep.incidents()}


# ---------------------------------------------------------------- commands across lives


def test_unanswered_commands_are_given_to_the_next_trainer_in_order(keep: Keep) -> None:
    keep.start({"slow": ["ask", "set"], "dies_of": "exam"}, SERVES)
    keep.serving()
    ask, change, exam = Command(Verb.ASK), Command(Verb.SET), Command(Verb.EXAM)
    threads = []
    for command in (ask, change, exam):
        threads.append(send_in_thread(keep, command))
        keep.reached(command)
    for thread, answers in threads:
        thread.join(DEADLINE_S)
        assert isinstance(answers[0], Reply)
        assert answers[0].ok
    second = keep.serving(2)["pid"]
    assert [e["id"] for e in keep.trace("verb") if e["pid"] == second] == [ask.id, change.id, exam.id]


def test_a_command_that_ends_every_trainer_is_refused_after_the_second(keep: Keep) -> None:
    keep.start({"dies_of": "ask"})
    thread, answers = send_in_thread(keep, Command(Verb.ASK))
    thread.join(DEADLINE_S)
    assert isinstance(answers[0], Reply)
    assert answers[0].error is not None
    assert answers[0].error.code == "ENGINE_CRASHED"
    keep.serving(3)
    assert send_command(keep.folder, Command(Verb.PAUSE)).ok


def test_the_same_id_is_carried_out_once_and_answered_every_time(keep: Keep) -> None:
    keep.start(SERVES)
    command = Command(Verb.CHECKPOINT)
    first, second = (send_command(keep.folder, command) for _ in range(2))
    assert first == second
    assert len(keep.trace("verb")) == 1


def test_a_client_that_left_can_ask_for_the_answer_by_the_same_id(keep: Keep) -> None:
    keep.start({"slow": ["ask"], "dies_of": "exam"}, SERVES)
    keep.serving()
    command = Command(Verb.ASK)
    with pytest.raises(RealmError) as impatient:
        send_command(keep.folder, command, timeout_s=0.2)
    assert impatient.value.code == "TIMED_OUT"
    thread, answers = send_in_thread(keep, command)
    send_in_thread(keep, Command(Verb.EXAM))[0].join(DEADLINE_S)
    thread.join(DEADLINE_S)
    assert isinstance(answers[0], Reply)
    assert answers[0].ok


# ---------------------------------------------------------------- stopping


def test_a_second_stop_ends_it_at_once_and_closes_the_run(keep: Keep) -> None:
    with closing(open_save(keep.folder, write=True)) as conn:
        campaign = active_campaign(conn).id
        origin: dict[str, Any] = {"parent_run_id": None, "parent_checkpoint_id": None}
        open_run(conn, campaign, first_step=0, pid=1, environment={}, exact=True, **origin)
    keep.start({"slow": ["stop"]}, stop_now_s=0.05)
    keep.serving()
    polite, answers = send_in_thread(keep, Command(Verb.STOP))
    until(lambda: keep.trace("verb"))
    assert say_hello(keep.folder).state is EngineState.STOPPING
    reply = send_command(keep.folder, Command(Verb.STOP))
    polite.join(DEADLINE_S)
    assert reply.ok
    assert reply.result == {"now": True}
    assert isinstance(answers[0], Reply)
    assert answers[0].ok
    assert keep.ended() == 0
    assert [entry["args"] for entry in keep.trace("verb")] == [{}, {"now": True}]
    with closing(open_save(keep.folder, write=False)) as conn:
        run = latest_run(conn, campaign)
    assert run is not None
    assert (run.end_reason, run.last_step) == ("killed", 41)
    assert keep.incidents() == []


def test_the_same_stop_sent_twice_is_still_polite(keep: Keep) -> None:
    keep.start({"slow": ["stop"]}, stop_now_s=0.0)
    keep.serving()
    command = Command(Verb.STOP)
    threads = [send_in_thread(keep, command) for _ in range(2)]
    until(lambda: keep.trace("verb"))
    assert send_command(keep.folder, Command(Verb.PAUSE)).ok
    assert [entry["args"] for entry in keep.trace("verb")] == [{}, {}]
    keep.keeper.terminate()
    assert keep.ended() == 0
    for thread, _ in threads:
        thread.join(DEADLINE_S)


def test_a_deaf_trainer_is_ended_by_stop_now(keep: Keep) -> None:
    keep.start({"deaf": True}, stop_now_s=0.05)
    until(lambda: keep.trace("deaf"))
    assert send_command(keep.folder, Command(Verb.STOP, {"now": True})).ok
    assert keep.ended() == 0


def test_a_stop_that_cannot_save_is_refused_and_the_engine_goes_on(keep: Keep) -> None:
    keep.start({"refuses": "stop"}, stop_now_s=0.05)
    reply = send_command(keep.folder, Command(Verb.STOP))
    assert reply.error is not None
    assert (reply.error.code, reply.error.exit_code, reply.step) == ("DISK_FULL", 3, 42)
    assert send_command(keep.folder, Command(Verb.PAUSE)).ok
    assert keep.keeper.poll() is None
    assert send_command(keep.folder, Command(Verb.STOP)).ok
    assert keep.ended() == 0


def test_a_trainer_that_crashes_after_a_refused_stop_is_started_again(keep: Keep) -> None:
    keep.start({"refuses": "stop", "dies_of": "exam"}, SERVES)
    assert not send_command(keep.folder, Command(Verb.STOP)).ok
    assert send_command(keep.folder, Command(Verb.EXAM)).ok
    assert keep.lives() == 2


def test_a_crash_while_stopping_is_told_and_not_started_again(keep: Keep) -> None:
    keep.start({"dies_of": "stop", "exit_code": 13})
    keep.serving()
    reply = send_command(keep.folder, Command(Verb.STOP))
    assert reply.error is not None
    assert "disk" in reply.error.why
    assert keep.ended() == 1
    assert keep.lives() == 1
    assert [incident.rule for incident in keep.incidents()] == ["disk_crash"]


def test_a_stop_is_not_confirmed_when_the_trainer_fails_after_it_agreed(keep: Keep) -> None:
    keep.start({"fails_to_stop": 13})
    keep.serving()
    reply = send_command(keep.folder, Command(Verb.STOP))
    assert reply.error is not None
    assert "disk" in reply.error.why
    assert keep.ended() == 1


def test_a_stop_at_a_later_step_is_answered_at_once_and_told_to_every_further_trainer(keep: Keep) -> None:
    keep.start({"dies_of": "exam"}, SERVES, stop_now_s=0.0)
    keep.serving()
    assert send_command(keep.folder, Command(Verb.STOP, {"at_step": 900})).ok
    assert send_command(keep.folder, Command(Verb.EXAM)).ok
    second = keep.serving(2)["pid"]
    until(lambda: any(e["verb"] == "stop" and e["pid"] == second for e in keep.trace("verb")))
    (told,) = [e["args"] for e in keep.trace("verb") if e["verb"] == "stop" and e["pid"] == second]
    assert told == {"at_step": 900}
    assert send_command(keep.folder, Command(Verb.STOP)).result == {"echo": {}}
    assert keep.ended() == 0


def test_a_stop_between_two_lives_ends_it(keep: Keep) -> None:
    keep.start({"exit": 1}, restart_s=1000.0)
    until(lambda: (say_hello(keep.folder).note or "").startswith("starting again"))
    assert send_command(keep.folder, Command(Verb.STOP)).ok
    assert keep.ended() == 0
    assert keep.lives() == 1


def test_a_stopping_trainer_whose_heart_stands_still_is_ended(keep: Keep) -> None:
    keep.start({"slow": ["stop"]}, look_s=0.02, silent_stop_s=0.1)
    keep.serving()
    assert send_command(keep.folder, Command(Verb.STOP)).ok
    assert keep.ended() == 0
    assert [incident.rule for incident in keep.incidents()] == ["hang"]


# ---------------------------------------------------------------- who may keep


def test_a_second_keeper_is_refused(keep: Keep) -> None:
    keep.start(SERVES)
    first = keep.serving()
    second = keep.launch()
    assert second.wait(DEADLINE_S) == 3
    assert second.stderr is not None
    assert (
        f"ENGINE_RUNNING: an engine already has the save 'hearth'. Its keeper is process {keep.processes[0].pid}"
        in (second.stderr.read().replace("its keeper", "Its keeper"))
    )
    assert say_hello(keep.folder).trainer_pid == first["pid"]


def test_a_killed_keeper_is_noticed_by_its_trainer_and_replaced(keep: Keep) -> None:
    keep.start(SERVES)
    keep.serving()
    keep.keeper.kill()
    keep.keeper.wait()
    until(lambda: keep.trace("lost"))
    until(keep.free)
    keep.start(SERVES)
    assert say_hello(keep.folder).trainer_pid == keep.serving(2)["pid"]


def test_a_new_keeper_starts_no_trainer_until_the_older_one_is_gone(keep: Keep) -> None:
    older = FileLock(keep.folder.trainer_lock)
    assert older.acquire()
    try:
        keep.start(SERVES, older_asked_s=1000.0)
        hello = until(lambda: (h := say_hello(keep.folder)).note and h)
        assert (hello.trainer_pid, hello.state) == (None, EngineState.STARTING)
        assert f"trainer {os.getpid()} of an earlier keeper" in hello.note
        thread, answers = send_in_thread(keep, Command(Verb.PAUSE))
        assert keep.lives() == 0
    finally:
        older.release()
    thread.join(DEADLINE_S)
    assert isinstance(answers[0], Reply)
    assert answers[0].ok
    assert keep.trace("refused") == []


def test_an_older_trainer_that_never_ends_is_told_about(keep: Keep) -> None:
    older = FileLock(keep.folder.trainer_lock)
    assert older.acquire()
    try:
        keep.start(SERVES, older_asked_s=1000.0, older_s=0.05)
        assert keep.ended() == 1
    finally:
        older.release()
    (incident,) = keep.incidents()
    assert incident.rule == "hang"
    assert f"kill {os.getpid()}" in incident.title
    assert keep.lives() == 0


def test_a_save_path_of_any_length_gets_a_short_socket(tmp_path: Path, folder: SaveFolder) -> None:
    deep = folder.root.rename(tmp_path / ("x" * 200))
    keep = Keep(SaveFolder(deep), tmp_path / "script.json")
    keep.start(SERVES)
    try:
        path = read_pointer(keep.folder)
        assert path is not None
        assert len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        keep.serving()
        assert send_command(keep.folder, Command(Verb.STOP)).ok
        assert keep.ended() == 0
    finally:
        keep.keeper.kill()
        keep.keeper.communicate()


def test_a_stale_socket_of_a_killed_keeper_is_replaced(keep: Keep) -> None:
    keep.start({"exit": 1}, restart_s=1000.0)
    path = read_pointer(keep.folder)
    assert path is not None
    keep.keeper.kill()
    keep.keeper.wait()
    assert path.exists()
    with socket.socket(socket.AF_UNIX) as nobody, pytest.raises(ConnectionRefusedError):
        nobody.connect(str(path))
    keep.start({"exit": 1}, restart_s=1000.0)
    assert read_pointer(keep.folder) == path
    assert say_hello(keep.folder).keeper_pid == keep.keeper.pid


def test_an_incident_that_cannot_be_written_does_not_end_the_keeper(keep: Keep) -> None:
    keep.folder.database.write_bytes(b"not a database" * 1000)
    keep.start({"exit": 1}, {"exit": 0})
    assert keep.ended() == 0
    assert "an incident could not be written" in keep.said()


def test_nothing_of_the_keeper_loads_torch_or_the_screen() -> None:
    code = (
        "import sys, json, engine.__main__, engine.keeper.main, engine.link.client, realm_tui.runtime.engine_process;"
        "print(json.dumps([m for m in sys.modules if m.split('.')[0] in ('torch', 'transformers', 'textual', 'typer')]))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == []
