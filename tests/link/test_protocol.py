"""The border of the command socket: what an engine could neither compute with nor write down stays outside."""

from __future__ import annotations

from typing import Any

import pytest

from configs.errors import UsageError
from engine.link.protocol import Command, Verb, command_from, decode, encode


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 10**30, -(2**63) - 1, "\ud800", ["\udfff"], {"deep": [{"\ud900": 1}]}]
)
def test_an_argument_that_no_save_can_hold_is_refused_by_its_verb(value: Any) -> None:
    line = encode(Command(Verb.SKIP, {"why": value}).message())
    with pytest.raises(UsageError, match="cannot be an argument of skip"):
        command_from(decode(line))


def test_plain_arguments_arrive_as_they_were_sent() -> None:
    sent = Command(Verb.ASK, {"prompt": "κόσμος 🜂 \u0000", "seed": 2**63 - 1, "deep": [1.5, None, True, {"a": []}]})
    assert command_from(decode(encode(sent.message()))) == sent


def test_an_answer_with_half_a_surrogate_pair_is_still_one_line_of_json() -> None:
    assert decode(encode({"type": "done", "text": "a\udcffb"}))["text"] == "a\udcffb"
