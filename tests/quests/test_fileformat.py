"""What a file must be to become a quest, and what a refusal says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import RealmError, UsageError
from configs.loader import load_hero
from engine.quests.fileformat import check_file, read_examples
from engine.quests.reader import reader_for
from tests.quests.conftest import chat, write_lines

PIP = reader_for(load_hero("pip"))


def test_conversations_are_counted(tmp_path: Path) -> None:
    long = {
        "messages": [{"role": "system", "content": "be kind"}, *chat("a", "b")["messages"], *chat("c", "d")["messages"]]
    }
    path = write_lines(tmp_path / "q.jsonl", chat("hello", "hi"), chat("hello", "hi"), long)
    report = check_file(path, reader=PIP)
    assert report.ok and report.format == "messages" and report.complete
    assert report.counts["examples"] == 3
    assert report.counts["assistant_turns"] == 4
    assert report.counts["duplicates"] == 1
    assert report.counts["longest_line"] == 3
    assert report.counts["bytes"] == path.stat().st_size
    examples = list(read_examples(path))
    assert report.counts["tokens"] == sum(PIP.read(e).tokens for e in examples) == 16 + 16 + 35
    assert [e.line for e in examples] == [1, 2, 3]
    assert examples[0].digest == examples[1].digest != examples[2].digest


def test_lengths_stay_unknown_without_a_tokenizer(tmp_path: Path) -> None:
    report = check_file(write_lines(tmp_path / "q.jsonl", {"text": "x" * 9000}))
    assert report.ok and report.format == "text"
    assert report.counts["tokens"] is report.counts["longest"] is report.counts["longest_line"] is None


def test_a_byte_order_mark_blank_lines_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(chat("a", "b")).encode() + b"\r\n\r\n  \n" + b'{"text": 1}\n')
    report = check_file(path)
    assert [(e.line, e.reason) for e in report.errors] == [(4, "holds `text`, but the file began with `messages`")]


ANSWER = {"role": "assistant", "content": "yes"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "the file is empty"),
        (b"\n  \n", "only blank lines"),
        (b'{"text": "caf\xe9"}', "not UTF-8: byte 0xe9 at column 14"),
        (b"{not json}", "not JSON: "),
        (b"[1, 2]", "not a list"),
        (b'"words"', "not a string"),
        (b"{}", "neither `messages` nor `text`"),
        (b'{"prompt": "a", "completion": "b"}', "neither `messages` nor `text`"),
        (b'{"text": "a", "messages": []}', "both"),
        (b'{"text": ""}', "`text` is empty"),
        (b'{"text": 7}', "must be a string, not a number"),
        (b'{"text": "\\ud800"}', "half of a character pair"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"messages": {}}', "must be a list"),
        (b'{"messages": []}', "is empty"),
        (b'{"messages": ["hi"]}', "message 1 must be an object"),
        (b'{"messages": [{"role": "narrator", "content": "x"}]}', 'the role "narrator"'),
        (b'{"messages": [{"content": "x"}]}', "the role null"),
        (b'{"messages": [{"role": "user", "content": "x"}]}', "no assistant answer"),
        (b'{"messages": [{"role": "assistant", "content": " "}]}', "answer is empty"),
        (b'{"messages": [{"role": "assistant", "content": null}]}', "no `content` text"),
        (b'{"messages": [{"role": "assistant", "content": ["a"]}]}', "no `content` text"),
        (
            b'{"messages": [{"role": "assistant", "content": "x"}, {"role": "user", "content": "y"}]}',
            "last message must be the assistant's",
        ),
    ],
)
def test_what_is_refused_and_why(tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "q.jsonl"
    path.write_bytes(line)
    report = check_file(path)
    assert not report.ok
    assert len(report.errors) == 1
    assert report.errors[0].line == 1
    assert reason in report.errors[0].reason
    assert path.read_bytes() == line


def test_every_bad_line_is_named_until_the_limit(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "q.jsonl", chat("a", "b"), *[{"nothing": i} for i in range(10)], chat("c", "d"))
    report = check_file(path, max_errors=100)
    assert [e.line for e in report.errors] == list(range(2, 12)) and report.complete
    short = check_file(path, max_errors=4)
    assert [e.line for e in short.errors] == [2, 3, 4, 5] and not short.complete
    assert check_file(write_lines(tmp_path / "r.jsonl", {}), max_errors=1).complete


def test_an_example_too_long_for_the_hero_is_refused_with_its_line(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "q.jsonl", chat("a", "b"), chat("a" * 600, "b"))
    report = check_file(path, reader=PIP)
    assert [(e.line, e.reason) for e in report.errors] == [(2, "too long: 610 tokens, the hero reads 512")]


def test_the_hatchling_is_measured_as_it_reads(tmp_path: Path) -> None:
    """One token a byte, one for each mark and role: the longest question that fits is accepted, one byte more is not."""
    for length, fits in ((251, True), (252, False)):
        report = check_file(write_lines(tmp_path / "q.jsonl", chat("é" * length, "b")), reader=PIP)
        assert report.ok is fits and report.counts["longest"] == 2 * length + 10


def test_a_hero_with_a_local_tokenizer_is_measured_with_it_and_one_without_is_estimated(tmp_path: Path) -> None:
    from engine.hero.tokenizer import build_hatchling_tokenizer

    dio = load_hero("dio")
    away = dio.model_copy(update={"model": dio.model.model_copy(update={"path": str(tmp_path)})})
    path = write_lines(tmp_path / "q.jsonl", {"text": "x" * 9000})
    reader = reader_for(away)
    report = check_file(path, reader=reader)
    assert not reader.exact and "about 2268 tokens" in report.errors[0].reason
    assert report.counts["tokens"] == 2268 and report.counts["trained"] is None and report.masking is None
    build_hatchling_tokenizer([]).save(str(tmp_path / "tokenizer.json"))
    exact = check_file(path, reader=reader_for(away))
    assert exact.counts["tokens"] == 9001 and "9001 tokens, the hero reads 2048" in exact.errors[0].reason


def test_tool_turns_are_read_and_bad_ones_refused_with_their_reason(tmp_path: Path) -> None:
    called = {"function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
    talk: list[dict[str, Any]] = [
        {"role": "user", "content": "Rain?"},
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "content": "yes", "tool_call_id": "1"},
        {"role": "assistant", "content": "Yes.", "reasoning_content": "It said so."},
    ]
    path = write_lines(tmp_path / "q.jsonl", {"messages": talk})
    assert check_file(path, reader=PIP).ok
    (example,) = read_examples(path)
    assert example.messages is not None
    assert example.messages[1]["tool_calls"] == [{"name": "weather", "arguments": {"city": "Oslo"}}]
    assert example.messages[3]["reasoning_content"] == "It said so."
    for calls, reason in (
        ("weather", "`tool_calls` must be a list"),
        ([{"arguments": {}}], "has no `name`"),
        ([{"name": "weather", "arguments": "{"}], 'the arguments of "weather" are not JSON'),
        ([{"name": "weather", "arguments": [1]}], "must be an object"),
    ):
        talk[1]["tool_calls"] = calls
        report = check_file(write_lines(tmp_path / "bad.jsonl", {"messages": talk}), reader=PIP)
        assert report.errors[0].line == 1 and reason in report.errors[0].reason
    talk[1] = {"role": "assistant", "content": None}
    assert "no `content` text" in check_file(write_lines(path, {"messages": talk})).errors[0].reason


def test_what_is_no_file_is_refused_without_being_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", ".", "gone.jsonl"):
        with pytest.raises(UsageError):
            check_file(tmp_path / name)


def test_reading_a_file_that_is_no_longer_what_was_checked_says_so(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "q.jsonl", chat("a", "b"), {"text": "raw"})
    with pytest.raises(RealmError, match="line 2"):
        list(read_examples(path))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["messages", "text", "role", "content", "x"]), inner)
    ),
    max_leaves=12,
)
ROLE = st.sampled_from(["system", "user", "assistant", "tool"])
MESSAGE = st.fixed_dictionaries({"role": ROLE, "content": st.text(max_size=8)})
RECORD = (
    JSON
    | st.fixed_dictionaries({"messages": st.lists(MESSAGE, max_size=4)})
    | st.fixed_dictionaries({"text": st.text()})
)


@given(records=st.lists(RECORD, max_size=6))
def test_any_json_is_either_read_whole_or_refused_by_line(
    tmp_path_factory: pytest.TempPathFactory, records: list[Any]
) -> None:
    path = write_lines(tmp_path_factory.getbasetemp() / "any.jsonl", *records)
    report = check_file(path)
    if report.ok:
        examples = list(read_examples(path))
        assert len(examples) == report.counts["examples"] == len(records)
        for example, record in zip(examples, records, strict=True):
            turns = None if example.messages is None else list(example.messages)
            assert record[str(report.format)] == (example.text if turns is None else turns)
    else:
        assert all(1 <= e.line <= max(1, len(records)) and e.reason for e in report.errors)


@given(raw=st.binary(max_size=200))
def test_no_bytes_break_the_check(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "raw.jsonl"
    path.write_bytes(raw)
    report = check_file(path)
    assert report.ok or report.errors
    assert report.as_dict()["ok"] == report.ok
