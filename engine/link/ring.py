"""The live ring: an mmap'd file in which the trainer shows itself, and from which any face reads without touching it.

Layout (little-endian, version 1)::

    0       header      magic, layout and protocol version, pid, run id, start time, number of records, checksum
    64      head        block of 2 x 16 bytes; its sequence number is the number of step records written so far
    128     heartbeat   block of 2 x 64 bytes
    4096    snapshot    block of 2 x 16 KiB
    36864   battle      block of 2 x 64 KiB
    167936  records     4096 records of 72 bytes, each with its number and a checksum

A block has two slots that are written in turn, each with a sequence number and a checksum over number and content, so one of
them is whole at any moment, even when the writer died in the middle of the other. A reader takes the whole slot with the
highest number. Readers copy with ``pread``: they never hold the writer up, and a file that was cut short is an error they can
report, not a bus error. A new writer replaces the file; readers notice and follow.

The ring is a display, never the record: what must survive is in the save.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import threading
import time
import zlib
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from configs import clock
from configs.errors import RealmError
from engine.link.snapshot import PROTOCOL_VERSION, BattleText, Snapshot, StepRecord
from engine.link.state import EngineState

MAGIC = b"REALMRNG"
LAYOUT_VERSION = 1
RECORDS = 4096
"""Step records kept; the oldest are overwritten."""

_HEADER = struct.Struct("<8sHHIqdI")
_CRC = struct.Struct("<I")
_NUMBER = struct.Struct("<Q")
_SLOT = struct.Struct("<QII")
_BEAT = struct.Struct("<d")
_RECORD = struct.Struct("<QqddddddI")
_RECORD_BYTES = _RECORD.size + 4
_NO_RUN = -1

_HEADER_AT, _HEAD_AT, _BEAT_AT, _SNAPSHOT_AT, _BATTLE_AT = 0, 64, 128, 4096, 36864
_HEAD_SLOT, _BEAT_SLOT, _SNAPSHOT_SLOT, _BATTLE_SLOT = 16, 64, 16384, 65536
_RECORDS_AT = _BATTLE_AT + 2 * _BATTLE_SLOT
RING_BYTES = _RECORDS_AT + RECORDS * _RECORD_BYTES

_TEXT_LIMIT = 300
"""Characters of a text field in the snapshot; with it the snapshot always fits its slot."""
_TRIES = 40
_SNAPSHOT_FIELDS = tuple(field.name for field in fields(Snapshot))


@dataclass(frozen=True, slots=True)
class _Block:
    """Two slots of ``slot_bytes`` at ``offset``, written in turn."""

    offset: int
    slot_bytes: int

    @property
    def capacity(self) -> int:
        """Bytes of content that fit into one slot."""
        return self.slot_bytes - _SLOT.size

    def write(self, memory: mmap.mmap, number: int, content: bytes) -> None:
        """Put ``content`` into the slot of ``number`` (1, 2, …)."""
        at = self.offset + (number % 2) * self.slot_bytes
        prefix = _SLOT.pack(number, len(content), _checksum(number, content))
        memory[at + _SLOT.size : at + _SLOT.size + len(content)] = content
        memory[at : at + _SLOT.size] = prefix

    def newest(self, data: bytes) -> tuple[int, bytes] | None:
        """Number and content of the newest whole slot in a copied block (0: never written); None when none can be trusted."""
        best, empty = (0, b""), 0
        for start in (0, self.slot_bytes):
            number, length, checksum = _SLOT.unpack_from(data, start)
            if number == 0 and length == 0 and checksum == 0:
                empty += 1
                continue
            content = data[start + _SLOT.size : start + _SLOT.size + length]
            whole = length <= self.capacity and _checksum(number, content) == checksum
            if whole and number > best[0]:
                best = (number, content)
        return best if best[0] or empty == 2 else None


def _checksum(number: int, content: bytes) -> int:
    return zlib.crc32(content, zlib.crc32(_NUMBER.pack(number)))


_HEAD_BLOCK = _Block(_HEAD_AT, _HEAD_SLOT)
_BEAT_BLOCK = _Block(_BEAT_AT, _BEAT_SLOT)
_SNAPSHOT_BLOCK = _Block(_SNAPSHOT_AT, _SNAPSHOT_SLOT)
_BATTLE_BLOCK = _Block(_BATTLE_AT, _BATTLE_SLOT)


class RingWriter:
    """The trainer's end. Every method may be called from any thread and takes microseconds.

    Args:
        path: the ring file; an older one is replaced at once, never altered.
        run_id: the run whose steps are shown; None while the run is not opened yet.

    Raises:
        RealmError: the file cannot be made (``RING_UNWRITABLE``).
    """

    def __init__(self, path: Path, *, run_id: int | None) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._numbers = {_BEAT_BLOCK: 0, _SNAPSHOT_BLOCK: 0, _BATTLE_BLOCK: 0}
        self._records = 0
        header = _HEADER.pack(
            MAGIC,
            LAYOUT_VERSION,
            PROTOCOL_VERSION,
            os.getpid(),
            _NO_RUN if run_id is None else run_id,
            clock.now(),
            RECORDS,
        )
        beside = path.with_name(f"{path.name}.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Zeros are written, not skipped: a hole in the file could end in a bus error when the disk is full later.
            descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                with os.fdopen(os.dup(descriptor), "wb") as file:
                    file.write(header + _CRC.pack(zlib.crc32(header)))
                    file.write(bytes(RING_BYTES - len(header) - _CRC.size))
                self._memory: mmap.mmap | None = mmap.mmap(descriptor, RING_BYTES)
            finally:
                os.close(descriptor)
            beside.replace(path)
        except OSError as error:
            with suppress(OSError):
                beside.unlink()
            raise RealmError(
                f"cannot write the live ring {path}", why=str(error), fix="free some disk space", code="RING_UNWRITABLE"
            ) from error

    def publish(self, snapshot: Snapshot) -> None:
        """Show ``snapshot``; a heartbeat or pid left at 0 is filled in. Long texts are cut to what fits."""
        heartbeat = snapshot.heartbeat_at or clock.now()
        values: dict[str, Any] = {name: getattr(snapshot, name) for name in _SNAPSHOT_FIELDS}
        for name, value in values.items():
            if isinstance(value, str) and len(value) > _TEXT_LIMIT:
                values[name] = value[: _TEXT_LIMIT - 1] + "…"
        values["heartbeat_at"], values["pid"] = heartbeat, snapshot.pid or os.getpid()
        content = json.dumps(values, separators=(",", ":")).encode()
        with self._lock:
            self._write(_SNAPSHOT_BLOCK, content)
            self._write(_BEAT_BLOCK, _BEAT.pack(heartbeat))

    def beat(self) -> None:
        """Renew the heartbeat and nothing else; meant for a thread of its own."""
        with self._lock:
            self._write(_BEAT_BLOCK, _BEAT.pack(clock.now()))

    def append(self, record: StepRecord) -> None:
        """Add one step; beyond `RECORDS` the oldest is overwritten."""
        with self._lock:
            if self._memory is None:
                return
            number = self._records + 1
            body = _RECORD.pack(
                number,
                record.step,
                record.at,
                record.loss,
                record.strain,
                record.learning_rate,
                record.grad_norm,
                record.seconds,
                record.tokens,
            )
            at = _RECORDS_AT + (number - 1) % RECORDS * _RECORD_BYTES
            self._memory[at : at + _RECORD_BYTES] = body + _CRC.pack(zlib.crc32(body))
            _HEAD_BLOCK.write(self._memory, number, b"")
            self._records = number

    def show(self, text: BattleText) -> None:
        """Show the text in training; of a very long one, the first tokens that fit."""
        tokens, losses = list(text.tokens), list(text.losses)
        while True:
            content = json.dumps([text.step, text.at, text.title[:_TEXT_LIMIT], tokens, losses], separators=(",", ":"))
            if len(content) <= _BATTLE_BLOCK.capacity:
                break
            keep = min(len(tokens) - 1, len(tokens) * _BATTLE_BLOCK.capacity // len(content))
            tokens, losses = tokens[:keep], losses[:keep]
        with self._lock:
            self._write(_BATTLE_BLOCK, content.encode())

    def close(self) -> None:
        """Let go of the file, which stays for readers. What is written afterwards is dropped, so a late heartbeat is harmless."""
        with self._lock:
            if self._memory is not None:
                self._memory.close()
                self._memory = None

    def _write(self, block: _Block, content: bytes) -> None:
        if self._memory is not None:
            self._numbers[block] += 1
            block.write(self._memory, self._numbers[block], content)

    def __enter__(self) -> RingWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class RingReader:
    """Any face's end: copies what it asks for and never disturbs the writer.

    Follows the file when a new engine replaces it. Every method raises `RealmError`: ``NO_RING`` when there is none,
    ``RING_VERSION`` when another version of the game wrote it, ``RING_DAMAGED`` when its content cannot be trusted.

    Attributes:
        pid: the process that made the ring.
        run_id: the run given when it was made.
        started_at: UTC seconds at which it was made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pid = 0
        self.run_id: int | None = None
        self.started_at = 0.0
        self._descriptor: int | None = None
        self._identity: tuple[int, int] | None = None
        self._known: deque[StepRecord] = deque(maxlen=RECORDS)
        self._known_upto = 0
        self._follow()

    def snapshot(self) -> Snapshot | None:
        """The newest snapshot with the newest heartbeat; None when nothing was published yet."""
        self._follow()
        number, content = self._read_block(_SNAPSHOT_BLOCK)
        if not number:
            return None
        beats, beat = self._read_block(_BEAT_BLOCK)
        try:
            values = json.loads(content)
            values["state"] = EngineState(values["state"])
            snapshot = Snapshot(**values)
        except (ValueError, TypeError, KeyError) as error:
            raise self._damaged("its snapshot does not make sense") from error
        return replace(snapshot, heartbeat_at=_BEAT.unpack(beat)[0]) if beats else snapshot

    def battle(self) -> BattleText | None:
        """The newest text in training; None when none was shown yet."""
        self._follow()
        number, content = self._read_block(_BATTLE_BLOCK)
        if not number:
            return None
        try:
            step, at, title, tokens, losses = json.loads(content)
        except ValueError as error:
            raise self._damaged("its battle block does not make sense") from error
        return BattleText(step, at, title, tuple(tokens), tuple(losses))

    def steps(self, limit: int) -> list[StepRecord]:
        """At most ``limit`` newest steps, the newest last. Steps that were read before are not read again."""
        self._follow()
        limit = min(limit, RECORDS)
        for attempt in range(_TRIES):
            head, _ = self._read_block(_HEAD_BLOCK)
            first = max(1, head - limit + 1)
            known_first = self._known_upto - len(self._known) + 1
            read_from = self._known_upto + 1 if self._known and known_first <= first <= self._known_upto + 1 else first
            fresh, doubtful = self._read_records(read_from, head)
            head_now, _ = self._read_block(_HEAD_BLOCK)
            # The oldest may have been overwritten while they were copied; anything else must read well in the end.
            if all(number <= head_now + 1 - RECORDS for number in doubtful):
                if read_from == first or doubtful:
                    self._known.clear()
                self._known.extend(fresh)
                self._known_upto = head
                return list(islice(self._known, max(0, len(self._known) - limit), None))
            _breathe(attempt)
        raise self._damaged("its step records do not match their checksums")

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _read_records(self, first: int, last: int) -> tuple[list[StepRecord], list[int]]:
        """The steps numbered ``first`` to ``last``, and the numbers of those that do not read well."""
        good: list[StepRecord] = []
        doubtful: list[int] = []
        if last < first:
            return good, doubtful
        start, count = (first - 1) % RECORDS, last - first + 1
        ahead = min(count, RECORDS - start)
        data = self._pread(_RECORDS_AT + start * _RECORD_BYTES, ahead * _RECORD_BYTES)
        if count > ahead:
            data += self._pread(_RECORDS_AT, (count - ahead) * _RECORD_BYTES)
        for number, at in zip(range(first, last + 1), range(0, len(data), _RECORD_BYTES), strict=True):
            found, step, time_at, loss, strain, rate, norm, seconds, tokens = _RECORD.unpack_from(data, at)
            (checksum,) = _CRC.unpack_from(data, at + _RECORD.size)
            if found == number and checksum == zlib.crc32(data[at : at + _RECORD.size]):
                good.append(StepRecord(step, time_at, loss, strain, rate, norm, tokens, seconds))
            else:
                doubtful.append(number)
        return good, doubtful

    def _read_block(self, block: _Block) -> tuple[int, bytes]:
        for attempt in range(_TRIES):
            found = block.newest(self._pread(block.offset, 2 * block.slot_bytes))
            if found is not None:
                return found
            _breathe(attempt)
        raise self._damaged("a block does not match its checksum")

    def _follow(self) -> None:
        """Open the file, or open it again when it was replaced, and prove its header."""
        try:
            status = self.path.stat()
        except OSError as error:
            if self._descriptor is not None:
                return
            raise RealmError(
                f"there is no live ring at {self.path}", fix="start the engine: `realm play`", code="NO_RING"
            ) from error
        identity = (status.st_dev, status.st_ino)
        if self._descriptor is not None and identity == self._identity:
            return
        self.close()
        try:
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise self._damaged(str(error)) from error
        try:
            self._prove_header()
        except RealmError:
            self.close()
            raise
        self._known.clear()
        self._known_upto = 0
        opened = os.fstat(self._descriptor)
        self._identity = (opened.st_dev, opened.st_ino)

    def _prove_header(self) -> None:
        header = self._pread(_HEADER_AT, _HEADER.size + _CRC.size)
        magic, layout, protocol, pid, run_id, started_at, records = _HEADER.unpack_from(header)
        if magic != MAGIC:
            raise self._damaged("it does not begin like one")
        if (layout, protocol) != (LAYOUT_VERSION, PROTOCOL_VERSION):
            raise RealmError(
                f"the live ring {self.path} was made by another version of the game",
                why=f"layout {layout}, protocol {protocol}; this is layout {LAYOUT_VERSION}, protocol {PROTOCOL_VERSION}",
                fix="let the engine save and stop (`realm stop`), then start it again with this version",
                code="RING_VERSION",
            )
        if _CRC.unpack_from(header, _HEADER.size)[0] != zlib.crc32(header[: _HEADER.size]) or records != RECORDS:
            raise self._damaged("its header does not match its checksum")
        self.pid, self.started_at = pid, started_at
        self.run_id = None if run_id == _NO_RUN else run_id

    def _pread(self, offset: int, size: int) -> bytes:
        if self._descriptor is None:
            raise RealmError(f"the live ring {self.path} is closed here", code="NO_RING")
        try:
            data = os.pread(self._descriptor, size, offset)
        except OSError as error:
            raise self._damaged(str(error)) from error
        if len(data) < size:
            raise self._damaged("the file was cut short")
        return data

    def _damaged(self, why: str) -> RealmError:
        return RealmError(
            f"the live ring {self.path} cannot be read",
            why=why,
            fix="stop and start the engine (`realm stop`, then `realm play`); nothing of the hero is kept in this file",
            code="RING_DAMAGED",
        )

    def __enter__(self) -> RingReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _breathe(attempt: int) -> None:
    """Give a writer that is in the middle of something time to finish; the first tries are immediate."""
    if attempt >= 3:
        time.sleep(0.0005)
