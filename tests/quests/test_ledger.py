"""Where the tokens of a quest go: trained, masked, truncated, dropped or held out, and never silently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.loader import load_hero
from configs.schema import HeroConfig
from engine.quests.account import account
from engine.quests.fileformat import check_file, read_examples
from engine.quests.reader import ExampleReader, Reading, reader_for
from engine.quests.records import Example
from tests.quests.conftest import chat, write_lines


def reader(context: int = 64, **data: Any) -> ExampleReader:
    pip = load_hero("pip").model_dump(mode="json")
    pip["model"]["context_length"] = context
    pip["data"] |= data
    found = reader_for(HeroConfig.model_validate(pip))
    assert isinstance(found, ExampleReader)
    return found


TURN = st.tuples(st.text("ab ", max_size=30).map(lambda t: t + "a"), st.text("cd ", max_size=30).map(lambda t: t + "c"))
CONVERSATION = st.lists(TURN, min_size=1, max_size=4)


def example(turns: list[tuple[str, str]], index: int = 0, thought: str = "") -> Example:
    messages: list[dict[str, str]] = []
    for question, answer in turns:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    if thought:
        messages[-1]["reasoning_content"] = thought
    return Example(index, index + 1, tuple(messages), None, f"{turns}")


@settings(deadline=None)
@given(
    st.lists(st.tuples(CONVERSATION, st.booleans(), st.text("xyz", max_size=9)), min_size=1, max_size=6),
    st.sampled_from(["drop", "truncate"]),
    st.sampled_from(["plain_sft", "emoji_think", "regime3"]),
    st.booleans(),
)
def test_trap_03_silent_truncation(
    talks: list[tuple[list[tuple[str, str]], bool, str]], mode: str, profile: str, thinking: bool
) -> None:
    """in = trained + masked + truncated + dropped, whatever does not fit and whatever is left out."""
    short = reader(long_examples=mode, profile=profile, thinking=thinking)
    endless = reader(100_000, long_examples=mode, profile=profile, thinking=thinking)
    readings: list[tuple[Reading, bool]] = []
    taken_in = 0
    for index, (turns, kept, thought) in enumerate(talks):
        one = example(turns, index, thought)
        read, whole = short.read(one), endless.read(one)
        assert read.tokens == whole.tokens, "what an example holds does not depend on the context"
        assert whole.encoded is not None and whole.tokens == len(whole.encoded.ids) + whole.truncated
        if read.encoded is None:
            assert read.refusal
        else:
            assert len(read.encoded.ids) <= 64 and any(read.encoded.trained[1:])
            assert read.encoded.ids == whole.encoded.ids[: len(read.encoded.ids)]
            assert read.tokens == len(read.encoded.ids) + read.truncated
        readings.append((read, kept))
        taken_in += read.tokens if not kept or read.encoded is None else 0
    ledger = account(readings)
    assert ledger.taken_in == taken_in == ledger.trained + ledger.masked + ledger.truncated + ledger.dropped
    assert ledger.examples + ledger.held_out_examples + ledger.dropped_examples == len(talks)
    assert mode == "truncate" or all(
        r.encoded is None or r.truncated == 0 or t[2] for (r, _), t in zip(readings, talks, strict=True)
    )


def test_a_long_conversation_is_cut_behind_its_last_whole_answer() -> None:
    cutting = reader(long_examples="truncate")
    read = cutting.read(example([("one", "first"), ("two", "second"), ("three", "t" * 60)]))
    assert read.encoded is not None
    assert read.encoded.ids == cutting.template.messages(
        [
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "first"},
            {"role": "user", "content": "two"},
            {"role": "assistant", "content": "second"},
        ]
    ).ids  # fmt: skip
    assert read.encoded.ids[-1] == cutting.template.end
    first = cutting.read(example([("one", "f" * 100)]))
    assert first.encoded is not None and len(first.encoded.ids) == 64
    assert first.encoded.ids[-1] != cutting.template.end and first.truncated == first.tokens - 64
    assert cutting.read(example([("q" * 90, "a")])).refusal is not None
    text = cutting.read(Example(0, 1, None, "t" * 100, "d"))
    assert text.encoded is not None and len(text.encoded.ids) == 64 and text.truncated == 37


@pytest.mark.parametrize(("data", "left_out"), [({}, 7), ({"thinking": True}, 0), ({"profile": "emoji_think"}, 0)])
def test_a_thought_that_is_not_trained_is_counted(data: dict[str, Any], left_out: int) -> None:
    read = reader(400, **data).read(example([("why?", "so")], 0, "because"))
    assert read.truncated == left_out
    quick = reader(400, profile="emoji_think").read(example([("why?", "so")], 1, "because"))
    assert quick.truncated == 7, "a Quick Draw does not think"


def test_the_check_of_a_file_shows_the_same_sum_as_training_will(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "q.jsonl", chat("a" * 9, "b" * 9), chat("c" * 20, "d" * 99), {"messages": [
        {"role": "user", "content": "why?"}, {"role": "assistant", "content": "so", "reasoning_content": "because"}]})  # fmt: skip
    cutting = reader(long_examples="truncate")
    report = check_file(path, reader=cutting)
    assert report.ok
    ledger = account((cutting.read(e), False) for e in read_examples(path))
    assert report.counts["tokens"] == ledger.taken_in and ledger.truncated > 7
    for flow in ("trained", "masked", "truncated", "dropped"):
        assert report.counts[flow] == getattr(ledger, flow)
    refused = check_file(path, reader=reader())
    assert [e.line for e in refused.errors] == [2] and refused.counts["dropped"] == 128
