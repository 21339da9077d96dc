"""The five validators: what passes, what each of them catches, and when a quest is refused."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from pathlib import Path

import pytest

from configs.loader import load_hero
from configs.paths import SaveFolder
from configs.schema import HeroConfig, QuestRules
from engine.chat.encoded import Encoded, Message
from engine.quests.board import import_quest, scan_inbox
from engine.quests.fileformat import QuestRefusedError, check_file
from engine.quests.masking import MaskCheck, MaskReport, answers
from engine.quests.reader import reader_for
from saves import quests
from tests.chat.speakers import FORMATS, Voice
from tests.chat.test_formats import TALK
from tests.quests.conftest import chat, write_lines

PIP = reader_for(load_hero("pip"))
VOICES = {name: Voice(name) for name in FORMATS}


def check(voice: Voice, *examples: Encoded, long_answers: bool = False, sample: bool = False) -> MaskReport:
    masks = MaskCheck(voice.template.turn_marks, long_answers, sample)
    for number, example in enumerate(examples, start=1):
        masks.add(example, f"line {number}")
    return masks.report()


def severity(report: MaskReport, validator: str) -> str:
    (found,) = [f for f in report.findings if f.validator == validator]
    return found.severity


def repainted(example: Encoded, change: dict[int, bool]) -> Encoded:
    trained = list(example.trained)
    for position, flag in change.items():
        trained[position] = flag
    return dataclasses.replace(example, trained=trained)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_passes_and_its_answers_are_found_from_the_marks_alone(name: str) -> None:
    voice = VOICES[name]
    example = voice.template.messages(TALK)
    report = check(voice, example, voice.template.messages(TALK[1:3]))
    assert {f.validator: f.severity for f in report.findings} == {
        "MaskingRatio": "ok",
        "ResponseTemplateCount": "ok",
        "TrainedTokenContent": "ok",
        "PackedSequence": "ok",
        "LabelDistribution": "ok",
    }, report.reasons
    found = list(answers(example.ids, voice.template.turn_marks))
    assert len(found) == 3
    assert all(all(example.trained[a:b]) and not example.trained[a - 1] for a, b in found)


@pytest.mark.parametrize("name", FORMATS)
def test_words_with_the_letters_of_marks_are_no_answers(name: str) -> None:
    voice = VOICES[name]
    told: list[Message] = [
        {
            "role": "user",
            "content": "<|im_start|>assistant\nx<|im_end|>[/INST]</s><start_of_turn>model\n<|assistant|>\n",
        },
        {"role": "assistant", "content": "<|im_start|>user\n[INST]<|eot_id|><end_of_turn><|end|> no."},
    ]
    assert check(voice, voice.template.messages(told), long_answers=True).verdict == "ok"


@pytest.mark.parametrize("name", FORMATS)
def test_a_mask_that_lost_an_answer_or_trains_a_question_is_caught(name: str) -> None:
    voice = VOICES[name]
    example = voice.template.messages(TALK)
    spans = list(answers(example.ids, voice.template.turn_marks))
    first, last = spans[0], spans[-1]
    unlearnt = repainted(example, dict.fromkeys(range(*last), False))
    report = check(voice, example, unlearnt)
    assert severity(report, "ResponseTemplateCount") == "abort" and "line 2" in " ".join(report.reasons)
    assert severity(report, "PackedSequence") == "abort", "one answer of six is not trained"
    everything = repainted(example, dict.fromkeys(range(len(example.ids)), True))
    report = check(voice, everything)
    assert severity(report, "TrainedTokenContent") == severity(report, "PackedSequence") == "abort"
    endless = repainted(example, {first[1] - 1: False})
    assert severity(check(voice, endless), "PackedSequence") == "abort", "the end mark is not trained"
    shifted = dataclasses.replace(example, trained=[False, *example.trained[:-1]])
    assert check(voice, shifted).verdict == "abort"


def test_one_token_that_is_nearly_all_that_is_learnt_is_a_warning() -> None:
    voice = VOICES["chatml"]
    dull = voice.template.messages(
        [{"role": "user", "content": "a b c d e f " * 20}, {"role": "assistant", "content": "+" * 200}]
    )
    fine = voice.template.messages(TALK)
    assert severity(check(voice, dull), "LabelDistribution") == "warn"
    assert check(voice, dull).verdict == "warn"
    assert severity(check(voice, *[fine] * 4), "LabelDistribution") == "ok"


@pytest.mark.parametrize(
    ("asked", "told", "long_answers", "verdict"),
    [
        (4, 36, False, "abort"),  # 12 of 49: 24.5 %
        (4, 35, False, "warn"),  # 12 of 48: 25.0 %
        (21, 30, False, "ok"),
        (200, 30, False, "warn"),  # 208 of 239: 87 %
        (200, 30, True, "ok"),
        (1, 50, True, "ok"),  # 9 of 60: 15.0 %
        (1, 51, True, "abort"),  # 9 of 61: 14.8 %
    ],
)  # fmt: skip
def test_the_masked_share_of_a_whole_quest_decides(
    tmp_path: Path, asked: int, told: int, long_answers: bool, verdict: str
) -> None:
    path = write_lines(tmp_path / "q.jsonl", *[chat(chr(97 + n) * asked, "abcde"[n] * told) for n in range(5)])
    report = check_file(path, reader=PIP, long_answers=long_answers)
    assert report.masking is not None
    assert severity(report.masking, "MaskingRatio") == verdict, report.masking.findings
    assert report.ok is (verdict != "abort")


def test_raw_texts_mask_nothing_and_are_exempt(tmp_path: Path) -> None:
    report = check_file(write_lines(tmp_path / "q.jsonl", {"text": "all of it is learnt"}), reader=PIP)
    assert report.ok and report.masking is not None and report.masking.masked_share is None


def test_a_sample_of_batches_is_not_judged_by_its_share() -> None:
    voice = VOICES["chatml"]
    long = voice.template.messages(
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": "some words " * 40}]
    )
    assert check(voice, long).verdict == "abort" and check(voice, long, sample=True).verdict == "ok"


def test_a_quest_that_would_learn_too_much_is_refused_at_the_door_unless_long_answers_are_said(
    save: sqlite3.Connection, folder: SaveFolder, rules: QuestRules, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "story.jsonl", *[chat(f"{n}", f"{n} upon a time there was a word") for n in range(9)])
    with pytest.raises(QuestRefusedError, match="the wrong tokens would be trained") as refusal:
        import_quest(save, folder, path, rules, reader=PIP)
    assert refusal.value.code == "MASKED_TOO_LITTLE" and "--long-answers" in refusal.value.fix
    assert "at least 25%" in refusal.value.why
    quest = import_quest(save, folder, path, rules, reader=PIP, long_answers=True)
    assert quest.counts["long_answers"] == 1
    folder.inbox.mkdir(exist_ok=True)
    path.rename(folder.inbox / path.name)
    (result,) = scan_inbox(save, folder, rules, reader=PIP)
    assert result.refused and len(quests.quests(save)) == 1
    assert "MaskingRatio" in (folder.inbox / "refused" / "story.jsonl.txt").read_text()


def test_what_looks_odd_is_said_and_remembered_when_a_quest_is_added(
    save: sqlite3.Connection, folder: SaveFolder, rules: QuestRules, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "q.jsonl", *[chat(f"{n} " * 60, "yes, as ever") for n in range(9)])
    quest = import_quest(save, folder, path, rules, reader=PIP)
    (warning,) = quests.quest(save, quest.id).counts["warnings"]
    assert warning.startswith("MaskingRatio: 9") and "is usual" in warning


def test_trap_02_an_item_of_which_nothing_is_trained_is_refused_with_its_line(tmp_path: Path) -> None:
    """Also one whose answer would only begin behind the hero's context."""
    silent = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": " "}]}
    path = write_lines(tmp_path / "q.jsonl", chat("a", "b"), silent, chat("x" * 600, "y"))
    report = check_file(path, reader=reader_for(truncating()))
    assert [e.line for e in report.errors] == [2, 3]
    assert "answer is empty" in report.errors[0].reason and "nothing of it is trained" in report.errors[1].reason


def test_the_report_is_plain_json() -> None:
    found = check(VOICES["gemma"], VOICES["gemma"].template.messages(TALK)).as_dict()
    assert json.loads(json.dumps(found)) == found and found["verdict"] == "ok" and len(found["findings"]) == 5


def truncating() -> HeroConfig:
    pip = load_hero("pip")
    return pip.model_copy(update={"data": pip.data.model_copy(update={"long_examples": "truncate"})})
