"""A worker answers with exactly the form that was asked for, the same whoever else is asking, and says what it cannot do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from engine.chat.template import answer_text, encode_prompt
from engine.generate import greedy
from tests.model.heroes import hatchling, unsettle
from tests.worker.inns import pip_in, serving

QUESTIONS = ("hello", "Compute: and(⓪①, ①①)", "a much longer question than all of the others are", "é", "x")


def local_answer(question: str, tokens: int, seed: int = 1) -> str:
    """What the form of `pip_in` says to a question when it is asked as exams ask."""
    hero = hatchling()
    unsettle(hero, seed)
    hero.model.eval()
    ids = encode_prompt(hero, [{"role": "user", "content": question}])
    return answer_text(hero, greedy(hero, [ids], tokens)[0])


async def test_it_answers_as_an_exam_would_and_names_the_form(tmp_path: Path) -> None:
    digest = pip_in(tmp_path / "store", tmp_path / "pip")
    async with serving(tmp_path / "store") as worker:
        for question in QUESTIONS:
            reply = await worker.chat(digest, question, temperature=0, max_tokens=20)
            assert reply["model"] == f"realm@{digest}"
            assert (
                reply["realm"] | {"digest": digest, "name": "checkpoint-100-20261121-0900", "step": 100}
                == reply["realm"]
            )
            assert reply["choices"][0]["message"]["content"] == local_answer(question, 20)


async def test_an_answer_does_not_depend_on_who_else_asks(tmp_path: Path) -> None:
    digest = pip_in(tmp_path / "store", tmp_path / "pip")
    ways: list[dict[str, Any]] = [
        {"temperature": 0, "max_tokens": 9},
        {"temperature": 1.3, "seed": 5, "max_tokens": 17},
        {"temperature": 0.7, "top_p": 0.6, "seed": 6, "max_tokens": 30},
        {"temperature": 2, "seed": 7, "max_tokens": 3, "n": 3},
    ]
    asked = [(question, way) for question in QUESTIONS for way in ways]
    async with serving(tmp_path / "store", batch=7) as worker:

        async def ask(question: str, way: dict[str, Any]) -> list[str]:
            reply = await worker.chat(digest, question, **way)
            return [choice["message"]["content"] for choice in reply["choices"]]

        alone = [await ask(*one) for one in asked]
        together = await asyncio.gather(*(ask(*one) for one in asked))
    assert together == alone
    assert len({tuple(answers) for answers in alone}) > 10


async def test_one_seed_is_one_answer_and_the_reply_tells_it(tmp_path: Path) -> None:
    digest = pip_in(tmp_path / "store", tmp_path / "pip")
    async with serving(tmp_path / "store") as worker:
        first = await worker.chat(digest, temperature=1.5, max_tokens=20, n=4)
        texts = [choice["message"]["content"] for choice in first["choices"]]
        assert len(set(texts)) == 4
        for seed, text in zip(first["realm"]["seeds"], texts, strict=True):
            again = await worker.chat(digest, temperature=1.5, max_tokens=20, seed=seed)
            assert again["choices"][0]["message"]["content"] == text


async def test_a_stream_says_what_the_whole_answer_says(tmp_path: Path) -> None:
    digest = pip_in(tmp_path / "store", tmp_path / "pip")
    async with serving(tmp_path / "store") as worker:
        for path, asked in (
            ("/v1/chat/completions", {"messages": [{"role": "user", "content": "é?"}]}),
            ("/v1/completions", {"prompt": "Compute: "}),
        ):
            body = {"model": f"realm@{digest}", **asked, "temperature": 1, "seed": 3, "max_tokens": 40, "n": 2}
            whole = (await worker.post(path, body)).json()
            events = await worker.events(path, body | {"stream_options": {"include_usage": True}})
            assert events[-1] == "[DONE]"
            assert {event["model"] for event in events[:-1]} == {f"realm@{digest}"}
            assert events[-2]["usage"] == whole["usage"]
            for choice in whole["choices"]:
                mine = [c for event in events[:-2] for c in event["choices"] if c["index"] == choice["index"]]
                said = "".join(c["delta"].get("content", "") if "delta" in c else c["text"] for c in mine)
                assert said == (choice["message"]["content"] if "message" in choice else choice["text"])
                assert mine[-1]["finish_reason"] == choice["finish_reason"]


async def test_a_stop_text_ends_an_answer_before_it(tmp_path: Path) -> None:
    digest = pip_in(tmp_path / "store", tmp_path / "pip")
    async with serving(tmp_path / "store") as worker:
        for seed in range(11, 50):
            reply = await worker.complete(digest, "Compute: ", temperature=1, seed=seed, max_tokens=40)
            text = reply["choices"][0]["text"]
            if len(text) > 20:
                break
        stop = text[12:15]
        ask = {"model": f"realm@{digest}", "prompt": "Compute: ", "temperature": 1, "seed": seed, "max_tokens": 40}
        cut = (await worker.post("/v1/completions", {**ask, "stop": ["never said", stop]})).json()["choices"][0]
        assert cut["text"] == text[: text.index(stop)]
        assert cut["finish_reason"] == "stop"
        events = await worker.events("/v1/completions", {**ask, "stop": stop})
        assert "".join(e["choices"][0]["text"] for e in events[:-1]) == cut["text"]


async def test_prompts_as_ids_are_answered_in_their_order_with_their_probabilities(tmp_path: Path) -> None:
    digest = pip_in(tmp_path / "store", tmp_path / "pip")
    prompts = [[65] * 30, [66, 67], [68] * 9]
    async with serving(tmp_path / "store") as worker:
        reply = await worker.complete(
            digest, prompts, temperature=0, max_tokens=6, n=2, logprobs=3, return_token_ids=True
        )
        assert [choice["index"] for choice in reply["choices"]] == list(range(6))
        for number, prompt in enumerate(prompts):
            one, other = reply["choices"][2 * number : 2 * number + 2]
            alone = await worker.complete(digest, prompt, temperature=0, max_tokens=6, return_token_ids=True)
            assert one["token_ids"] == other["token_ids"] == alone["choices"][0]["token_ids"]
            told = one["logprobs"]
            assert len(told["tokens"]) == len(told["token_logprobs"]) == len(one["token_ids"])
            assert told["token_logprobs"] == [pytest.approx(max(top.values())) for top in told["top_logprobs"]]
        assert reply["usage"]["prompt_tokens"] == 2 * sum(map(len, prompts))


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"foo": 1}, 400, "'foo' is not supported"),
    ({"response_format": {"type": "json_object"}}, 400, "'response_format' is not supported"),
    ({"temperature": -1}, 400, "'temperature'"),
    ({"top_p": 0}, 400, "'top_p'"),
    ({"n": 10_000}, 400, "'n'"),
    ({"max_tokens": 0}, 400, "'max_tokens'"),
    ({"messages": [{"role": "wizard", "content": "x"}]}, 400, "'messages.0.role'"),
    ({"messages": [{"role": "user", "content": "x", "name": "y"}]}, 400, "'messages.0.name'"),
    ({"messages": [{"role": "user", "content": "long " * 400}]}, 400, "context of 512"),
    ({"model": "realm@" + "0" * 64}, 404, "no form called"),
    ({"model": "realm"}, 404, "no form called"),
    ({"model": None}, 400, "'model'"),
]


async def test_what_cannot_be_done_is_refused_by_name(tmp_path: Path) -> None:
    digest = pip_in(tmp_path / "store", tmp_path / "pip")
    async with serving(tmp_path / "store") as worker:
        await worker.client.get("/v1/models")
        for change, status, says in REFUSED:
            body = {"model": f"realm@{digest}", "messages": [{"role": "user", "content": "x"}], "max_tokens": 2}
            reply = await worker.post("/v1/chat/completions", body | change)
            assert (reply.status_code, says in reply.text) == (status, True), reply.text
            assert reply.json()["error"]["code"]
            if status == 404:
                assert reply.json()["models"] == [f"realm@{digest}"]
        assert (await worker.chat(digest, max_tokens=1))["model"] == f"realm@{digest}"


async def test_ids_past_the_vocabulary_and_bodies_that_are_no_json_are_refused(tmp_path: Path) -> None:
    digest = pip_in(tmp_path / "store", tmp_path / "pip")
    async with serving(tmp_path / "store") as worker:
        reply = await worker.post("/v1/completions", {"model": f"realm@{digest}", "prompt": [1, 10**9]})
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, "prompt")
        reply = await worker.client.post("/v1/completions", content=b"{")
        assert (reply.status_code, reply.json()["error"]["code"]) == (400, "BAD_ARGUMENT")
