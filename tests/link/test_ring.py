"""The live ring: what is read is what was written, or a clear error; never anything else."""

from __future__ import annotations

import math
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs import clock
from configs.errors import RealmError
from engine.link.ring import RECORDS, RING_BYTES, RingReader, RingWriter
from engine.link.snapshot import BattleText, Snapshot, StepRecord
from engine.link.state import EngineState
from tests.link import full_speed_writer as writer_program

FLOATS = st.floats(allow_nan=False)
TEXTS = st.text(st.characters(exclude_categories=()), max_size=120)
SNAPSHOTS = st.builds(
    Snapshot,
    state=st.sampled_from(EngineState),
    heartbeat_at=st.floats(1, 4e9),
    pid=st.integers(1, 4_000_000),
    run_id=st.none() | st.integers(1, 2**40),
    step=st.none() | st.integers(0, 2**40),
    loss=st.none() | FLOATS,
    strain=st.none() | FLOATS,
    tokens_per_s=st.none() | FLOATS,
    memory_bytes=st.none() | st.integers(0, 2**45),
    quest=st.none() | TEXTS,
    progress=st.none() | TEXTS,
    blocker=st.none() | TEXTS,
)
RECORD_VALUES = st.builds(
    StepRecord,
    step=st.integers(0, 2**60),
    at=FLOATS,
    loss=FLOATS,
    strain=FLOATS,
    learning_rate=FLOATS,
    grad_norm=FLOATS,
    tokens=st.integers(0, 2**32 - 1),
    seconds=FLOATS,
)
SHARED_FOLDER = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40, database=None
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "live.bin"


def code_of(error: pytest.ExceptionInfo[RealmError]) -> str:
    return error.value.code


def step(number: int) -> StepRecord:
    return writer_program.record(number)


# ---------------------------------------------------------------- what is read is what was written


def test_a_fresh_ring_shows_nothing_rather_than_zeros(path: Path) -> None:
    with RingWriter(path, run_id=None), RingReader(path) as reader:
        assert (reader.snapshot(), reader.steps(100), reader.battle()) == (None, [], None)
        assert reader.pid == os.getpid()
        assert reader.run_id is None


@SHARED_FOLDER
@given(SNAPSHOTS)
def test_a_snapshot_comes_back_as_it_was(path: Path, snapshot: Snapshot) -> None:
    with RingWriter(path, run_id=3) as writer, RingReader(path) as reader:
        writer.publish(snapshot)
        assert reader.snapshot() == snapshot
        assert reader.run_id == 3


@SHARED_FOLDER
@given(st.lists(RECORD_VALUES, max_size=30), st.integers(0, 40))
def test_the_newest_steps_come_back_newest_last(path: Path, records: list[StepRecord], limit: int) -> None:
    with RingWriter(path, run_id=3) as writer, RingReader(path) as reader:
        for record in records:
            writer.append(record)
        assert reader.steps(limit) == (records[-limit:] if limit else [])


@SHARED_FOLDER
@given(st.lists(st.tuples(st.integers(0, 700), st.integers(0, RECORDS + 10)), min_size=1, max_size=25))
def test_a_face_that_looks_now_and_then_sees_every_step_once(path: Path, looks: list[tuple[int, int]]) -> None:
    with RingWriter(path, run_id=3) as writer, RingReader(path) as reader:
        written = 0
        for more, limit in looks:
            for _ in range(more):
                written += 1
                writer.append(step(written))
            first = max(1, written - min(limit, RECORDS) + 1)
            assert [record.step for record in reader.steps(limit)] == list(range(first, written + 1))


def test_the_ring_keeps_the_newest_4096_steps(path: Path) -> None:
    with RingWriter(path, run_id=3) as writer, RingReader(path) as reader:
        for number in range(1, RECORDS + 1001):
            writer.append(step(number))
        kept = reader.steps(10**9)
        assert [record.step for record in kept] == list(range(1001, RECORDS + 1001))
        assert kept[-1] == step(RECORDS + 1000)


def test_a_refused_step_keeps_its_unknown_loss(path: Path) -> None:
    with RingWriter(path, run_id=3) as writer, RingReader(path) as reader:
        writer.append(replace(step(1), loss=math.nan, strain=math.nan))
        (found,) = reader.steps(1)
        assert math.isnan(found.loss)
        assert math.isnan(found.strain)
        assert found.step == 1


@SHARED_FOLDER
@given(st.lists(st.tuples(TEXTS, st.none() | FLOATS), max_size=60), TEXTS)
def test_the_battle_text_comes_back_token_by_token(
    path: Path, tokens: list[tuple[str, float | None]], title: str
) -> None:
    text = BattleText(5, 2.5, title, tuple(token for token, _ in tokens), tuple(loss for _, loss in tokens))
    with RingWriter(path, run_id=3) as writer, RingReader(path) as reader:
        writer.show(text)
        assert reader.battle() == text


def test_of_a_text_that_is_too_long_the_first_tokens_are_shown(path: Path) -> None:
    tokens = tuple(f"🐉{number}" for number in range(20_000))
    with RingWriter(path, run_id=3) as writer, RingReader(path) as reader:
        writer.show(BattleText(1, 1.0, "long", tokens, tuple(float(n) for n in range(20_000))))
        shown = reader.battle()
    assert shown is not None
    assert len(shown.tokens) > 500
    assert shown.tokens == tokens[: len(shown.tokens)]
    assert shown.losses == tuple(float(n) for n in range(len(shown.tokens)))


def test_a_single_endless_token_does_not_end_the_trainer(path: Path) -> None:
    with RingWriter(path, run_id=3) as writer, RingReader(path) as reader:
        writer.show(BattleText(1, 1.0, "long", ("x" * 100_000,), (1.0,)))
        assert reader.battle() == BattleText(1, 1.0, "long", (), ())


def test_long_words_in_the_snapshot_are_cut_and_the_rest_stays(path: Path) -> None:
    with RingWriter(path, run_id=3) as writer, RingReader(path) as reader:
        writer.publish(Snapshot(progress="🐉" * 5000, blocker="é" * 5000, quest="q" * 5000, skill="s" * 5000, step=9))
        found = reader.snapshot()
    assert found is not None
    assert found.step == 9
    assert found.progress is not None
    assert found.progress.endswith("…")
    assert set(found.progress[:-1]) == {"🐉"}


# ---------------------------------------------------------------- heartbeat


@pytest.fixture
def hands() -> Iterator[list[float]]:
    """A clock whose hand the test moves."""
    hands = [100.0]
    clock.use(now=lambda: hands[0])
    yield hands
    clock.use()


def test_a_beat_renews_the_heartbeat_and_nothing_else(path: Path, hands: list[float]) -> None:
    with RingWriter(path, run_id=3) as writer, RingReader(path) as reader:
        writer.publish(Snapshot(state=EngineState.SAVING, step=4, heartbeat_at=90.0))
        before = reader.snapshot()
        hands[0] = 130.0
        writer.beat()
        after = reader.snapshot()
    assert before is not None
    assert before.heartbeat_at == 90.0
    assert after == replace(before, heartbeat_at=130.0)


def test_a_clock_that_was_set_back_does_not_freeze_the_heartbeat(path: Path, hands: list[float]) -> None:
    with RingWriter(path, run_id=3) as writer, RingReader(path) as reader:
        writer.publish(Snapshot(heartbeat_at=100.0))
        hands[0] = 40.0
        writer.beat()
        found = reader.snapshot()
    assert found is not None
    assert found.heartbeat_at == 40.0


def test_heartbeat_thread_and_training_loop_write_at_the_same_time(path: Path) -> None:
    with RingWriter(path, run_id=3) as writer, RingReader(path) as reader:
        ended = threading.Event()

        def beat() -> None:
            while not ended.is_set():
                writer.beat()

        heart = threading.Thread(target=beat)
        heart.start()
        try:
            for number in range(1, 3000):
                writer.publish(writer_program.snapshot(number))
                if number % 50 == 0:
                    found = reader.snapshot()
                    assert found is not None
                    assert replace(found, heartbeat_at=1.0) == writer_program.snapshot(number)
        finally:
            ended.set()
            heart.join()


def test_a_heartbeat_after_the_end_is_harmless(path: Path) -> None:
    writer = RingWriter(path, run_id=3)
    writer.publish(Snapshot(state=EngineState.STOPPED, heartbeat_at=5.0))
    writer.close()
    writer.beat()
    writer.append(step(1))
    writer.publish(Snapshot())
    writer.close()
    with RingReader(path) as reader:
        found = reader.snapshot()
        assert found is not None
        assert (found.state, found.heartbeat_at) == (EngineState.STOPPED, 5.0)
        assert reader.steps(9) == []


# ---------------------------------------------------------------- another process


@pytest.fixture
def full_speed(path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.link.full_speed_writer", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    yield process
    process.kill()
    process.communicate()


def assert_consistent(reader: RingReader) -> int:
    """Every value a reader gets follows from its step; returns the newest step."""
    for limit in (7, 500, RECORDS):
        records = reader.steps(limit)
        assert records == [step(record.step) for record in records]
        assert [r.step for r in records] == list(range(records[0].step, records[-1].step + 1))
    found = reader.snapshot()
    assert found is not None
    assert found.step is not None
    assert replace(found, heartbeat_at=1.0) == writer_program.snapshot(found.step)
    text = reader.battle()
    if text is not None:
        assert text == writer_program.battle(text.step)
    return records[-1].step


def test_a_reader_never_sees_a_torn_value_of_a_writer_at_full_speed(
    path: Path, full_speed: subprocess.Popen[str]
) -> None:
    with RingReader(path) as reader:
        first = assert_consistent(reader)
        newest = [first]
        until = time.monotonic() + 60
        while len(newest) < 25 or (newest[-1] == first and time.monotonic() < until):
            newest.append(assert_consistent(reader))
        assert newest == sorted(newest)
        assert newest[-1] > first
        last, _ = full_speed.communicate()
        assert reader.steps(1)[0].step == int(last)
    with RingReader(path) as late:
        assert assert_consistent(late) == int(last)


@pytest.mark.parametrize("looks", [0, 1, 3])
def test_a_writer_killed_in_the_middle_leaves_a_readable_ring(
    path: Path, full_speed: subprocess.Popen[str], looks: int
) -> None:
    with RingReader(path) as reader:
        for _ in range(looks):
            assert_consistent(reader)
        full_speed.kill()
        full_speed.wait()
        newest = assert_consistent(reader)
    with RingReader(path) as late:
        assert assert_consistent(late) == newest


@pytest.mark.parametrize("kept", range(0, 80, 8))
def test_a_death_in_the_middle_of_any_write_leaves_the_last_whole_value(path: Path, kept: int) -> None:
    """The newest slot of a block is cut off after ``kept`` bytes: the value before it is still there."""
    with RingWriter(path, run_id=1) as writer:
        writer.publish(Snapshot(step=1, heartbeat_at=1.0))
        before = path.read_bytes()
        writer.publish(Snapshot(step=2, loss=0.5, heartbeat_at=2.0))
        after = path.read_bytes()
    changed = [at for at in range(RING_BYTES) if before[at] != after[at]]
    died = bytearray(before)
    for at in changed[:kept]:
        died[at] = after[at]
    path.write_bytes(died)
    with RingReader(path) as reader:
        found = reader.snapshot()
    assert found is not None
    assert found.step in ((1,) if kept < len(changed) // 2 else (1, 2))


def test_a_new_engine_replaces_the_ring_and_its_readers_follow(path: Path) -> None:
    with RingWriter(path, run_id=1) as old:
        old.append(step(77))
        old.publish(Snapshot(step=77))
        with RingReader(path) as reader:
            assert reader.steps(5)
            with RingWriter(path, run_id=2) as new:
                assert reader.snapshot() is None
                assert reader.steps(5) == []
                new.append(step(1))
                new.publish(Snapshot(step=1))
                old.publish(Snapshot(step=78))
                found = reader.snapshot()
                assert found is not None
                assert (found.step, reader.run_id) == (1, 2)
                assert [record.step for record in reader.steps(5)] == [1]


# ---------------------------------------------------------------- damage


@pytest.fixture
def written(path: Path) -> bytes:
    """A ring in which everything was written twice: steps 1 and 2."""
    with RingWriter(path, run_id=1) as writer:
        for number in (1, 2):
            writer.append(step(number))
            writer.publish(replace(writer_program.snapshot(number), heartbeat_at=float(number)))
            writer.show(writer_program.battle(number))
    return path.read_bytes()


def assert_true_or_refused(path: Path) -> int:
    """What can be read was once written; everything else is refused by name. Returns how many reads were refused."""
    refused = 0
    snapshots = [
        replace(writer_program.snapshot(number), heartbeat_at=float(beat)) for number in (1, 2) for beat in (1, 2)
    ]
    battles = [writer_program.battle(1), writer_program.battle(2)]
    try:
        with RingReader(path) as reader:
            for read, allowed in (
                (reader.snapshot, snapshots),
                (reader.battle, battles),
                (lambda: reader.steps(9), [[step(1)], [step(1), step(2)]]),
            ):
                try:
                    assert read() in allowed
                except RealmError as error:
                    assert error.code == "RING_DAMAGED"
                    assert error.fix
                    refused += 1
    except RealmError as error:
        assert error.code in ("RING_DAMAGED", "RING_VERSION")
        refused += 1
    return refused


@settings(SHARED_FOLDER, max_examples=60)
@given(st.data())
def test_no_damaged_byte_is_ever_shown_as_a_number(path: Path, written: bytes, data: st.DataObject) -> None:
    used = [at for at, byte in enumerate(written) if byte]
    places = st.sampled_from(used) | st.integers(0, RING_BYTES - 1)
    damaged = bytearray(written)
    for at, byte in data.draw(st.dictionaries(places, st.integers(0, 255), min_size=1, max_size=6)).items():
        damaged[at] = byte
    path.write_bytes(damaged)
    assert_true_or_refused(path)


@SHARED_FOLDER
@given(st.integers(0, RING_BYTES - 1) | st.integers(0, 300))
def test_a_ring_that_was_cut_short_is_refused_not_crashed_on(path: Path, written: bytes, size: int) -> None:
    path.write_bytes(written)
    with RingReader(path) as attached:
        os.truncate(path, size)
        assert_true_or_refused(path)
        with pytest.raises(RealmError) as refused:
            attached.steps(RECORDS)
            attached.snapshot()
            attached.battle()
            raise RealmError("read in full", code="WHOLE")
        assert code_of(refused) == ("RING_DAMAGED" if size < 167936 + 2 * 72 else "WHOLE")


def test_a_step_record_that_went_bad_is_refused(path: Path, written: bytes) -> None:
    damaged = bytearray(written)
    damaged[167936 + 40] ^= 1
    path.write_bytes(damaged)
    with RingReader(path) as reader, pytest.raises(RealmError) as refused:
        reader.steps(2)
    assert code_of(refused) == "RING_DAMAGED"


def test_a_ring_of_another_version_says_how_to_go_on(path: Path, written: bytes) -> None:
    other = bytearray(written)
    struct.pack_into("<HH", other, 8, 99, 1)
    path.write_bytes(other)
    with pytest.raises(RealmError) as refused:
        RingReader(path)
    assert code_of(refused) == "RING_VERSION"
    assert "realm stop" in refused.value.fix


@pytest.mark.parametrize("content", [b"", b"x", b"not a ring at all " * 100_000])
def test_a_file_that_is_no_ring_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(RealmError) as refused:
        RingReader(path)
    assert code_of(refused) == "RING_DAMAGED"


def test_no_ring_and_odd_things_in_its_place_are_told_apart(path: Path) -> None:
    with pytest.raises(RealmError) as missing:
        RingReader(path)
    assert code_of(missing) == "NO_RING"
    path.mkdir()
    with pytest.raises(RealmError) as folder:
        RingReader(path)
    assert code_of(folder) == "RING_DAMAGED"
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(RealmError) as pipe:
        RingReader(path)
    assert code_of(pipe) == "RING_DAMAGED"


def test_a_ring_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("in the way")
    with pytest.raises(RealmError) as refused:
        RingWriter(tmp_path / "run" / "live.bin", run_id=1)
    assert code_of(refused) == "RING_UNWRITABLE"
