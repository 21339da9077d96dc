"""What each kind of job makes of what it is given."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs.errors import RealmError
from configs.jobs import KINDS, JobRules, load_jobs
from configs.paths import SaveFolder
from realm_tui.runtime.jobs.dispatcher import Dispatcher
from realm_tui.runtime.jobs.kinds import JobError, Workplace, job_kinds, kind_of
from realm_tui.runtime.jobs.work.seers import matrices_in
from saves import jobs
from saves.connection import SaveConnection
from tests.saves import facts


def done(folder: SaveFolder, kind: str, number: int = 1, **payload: Any) -> Mapping[str, Any]:
    """What a job makes, without the process around it."""
    one = kind_of(kind)
    return one.inside(number, one.read(payload), Workplace(folder, lambda text: None))


def written(path: Path, *records: Mapping[str, Any]) -> str:
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), encoding="utf-8")
    return str(path)


def talk(question: str, answer: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def read(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_worker_and_reads_its_example(kind: str) -> None:
    one = job_kinds()[kind]
    one.read(one.example)
    assert callable(one.inside if one.apart else one.work)
    with pytest.raises(JobError) as caught:
        one.read({**one.example, "no_such_field": 1})
    assert caught.value.error_class == "bad_payload" and "no_such_field" in caught.value.why


def test_an_exam_is_a_request_or_one_on_command() -> None:
    for wrong in ({"request": 1, "level": 2}, {"plan": "core_gate", "skill": "bin"}):
        with pytest.raises(JobError):
            kind_of("eval").read(wrong)


async def test_worked_problems_become_one_quest_however_often_the_job_is_tried(
    folder: SaveFolder, save: SaveConnection
) -> None:
    made = jobs.submit(save, "data_gen", {"skill": "bin", "level": 1, "count": 5})
    told = load_jobs().model_dump() | {"poll_s": 0.01}
    assert await Dispatcher(folder, rules=JobRules.model_validate(told)).run(until_idle=True) == 1
    result = jobs.job(save, made.id).result
    assert result is not None and result["quest"] == f"bin_L1_5_job{made.id}"
    assert len(read(str(folder.quests / result["file"]))) == 5
    again = done(folder, "data_gen", made.id, skill="bin", level=1, count=5)
    assert again["quest"] == result["quest"]
    assert save.execute("SELECT count(*) FROM quests").fetchone()[0] == 1


def test_generated_problems_are_never_exam_problems(folder: SaveFolder) -> None:
    from skills.registry import get_skill

    made = done(folder, "data_gen", skill="bin", level=2, count=20, first=3, mix="full", add=False)
    skill = get_skill("bin")
    wanted = [skill.generate(2, n, "train", "full").prompt for n in range(3, 23)]
    assert [r["messages"][0]["content"] for r in read(made["file"])] == wanted


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "Question,Answer\nHow many?,Two\n"),
        ("a.tsv", "instruction\tinput\toutput\nHow many?\t\tTwo\n"),
        ("a.json", '[{"prompt": "How many?", "completion": "Two"}]'),
        ("a.jsonl", '{"conversations": [{"from": "human", "value": "How many?"}, {"from": "gpt", "value": "Two"}]}\n'),
        (
            "b.jsonl",
            '{"messages": [{"role": "user", "content": "How many?"}, {"role": "assistant", "content": "Two"}]}\n\n',
        ),
    ],
)
def test_files_of_many_makes_become_records(folder: SaveFolder, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    made = done(folder, "data_convert", file=str(tmp_path / name))
    assert read(made["file"]) == [talk("How many?", "Two")]


def test_what_holds_no_question_and_answer_is_counted_and_nothing_at_all_is_refused(
    folder: SaveFolder, tmp_path: Path
) -> None:
    source = written(
        tmp_path / "x.jsonl", {"prompt": "q", "answer": "a"}, {"lonely": "x"}, {"messages": [{"role": "user"}]}
    )
    assert done(folder, "data_convert", file=source)["left_out"] == {"no question and answer in it": 2}
    (tmp_path / "prose.txt").write_text("One piece.\n\nAnother.", encoding="utf-8")
    assert len(read(done(folder, "data_convert", file=str(tmp_path / "prose.txt"), to="text")["file"])) == 2
    with pytest.raises(JobError) as caught:
        done(folder, "data_convert", file=str(tmp_path / "prose.txt"))
    assert caught.value.code == "NOTHING_TO_CONVERT"


def test_a_filter_says_what_it_kept_out_and_never_writes_over_a_file(folder: SaveFolder, tmp_path: Path) -> None:
    good = talk("What is the sum of one and one?", "It is two.")
    source = written(
        tmp_path / "x.jsonl",
        good,
        good,
        talk("Hi", "Yes, hello."),
        talk("What is the word that you mean to say?", "No"),
        talk("Say Banana please, now", "Why so?"),
    )
    made = done(folder, "data_filter", file=source, min_characters=80, min_answer=3, without=("banana",))
    assert read(made["file"]) == [good]
    assert made["left_out"] == {"duplicate": 1, "too short": 1, "answer too short": 1, "unwanted words": 1}
    with pytest.raises(RealmError) as caught:
        done(folder, "data_filter", file=source, out=source)
    assert caught.value.code == "EXISTS"


def test_a_profile_measures_what_is_there(folder: SaveFolder, tmp_path: Path) -> None:
    source = written(tmp_path / "x.jsonl", talk("1", "22"), talk("1", "22"), talk("3", "4444"))
    made = done(folder, "data_profile", file=source)
    assert (made["records"], made["duplicates"], made["roles"]) == (3, 1, {"assistant": 3, "user": 3})
    assert made["answer_characters"] == {"min": 2, "median": 2, "p90": 4, "p99": 4, "max": 4, "sum": 8}


def test_archive_report_figures_and_health_of_a_trained_save(folder: SaveFolder, save: SaveConnection) -> None:
    run = facts.begin(save)
    facts.train(save, run, 1, 200)
    facts.exam(save, run, 150)
    figures = done(folder, "analytics")
    assert figures["step"] == 200 and figures["skills"]["bin"]["exams"]["count"] == 1
    made = done(folder, "report")
    assert "| bin | 0 |" in Path(made["file"]).read_text(encoding="utf-8")
    assert done(folder, "health_check")["state"] in ("healthy", "warning", "critical")
    for _ in range(2):  # a second attempt finds the file of the first and writes it anew
        packed = done(folder, "archive", keep="none")
    assert Path(packed["file"]).stat().st_size == packed["bytes"]
    assert done(folder, "retention")["facts"] is not None


def weights(path: Path, **values: Any) -> None:
    """A safetensors file, bfloat16 among its types, written by hand."""
    head, body = {}, b""
    for name, (kind, array) in values.items():
        raw = (array.astype(np.float32).view(np.uint32) >> 16).astype("<u2") if kind == "BF16" else array
        data = raw.tobytes()
        head[name.replace("__", ".")] = {
            "dtype": kind,
            "shape": list(array.shape),
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    text = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def test_matrices_are_measured_and_two_forms_compared(folder: SaveFolder, save: SaveConnection) -> None:
    run = facts.begin(save)
    forms = [facts.checkpoint(save, run, step) for step in (50, 100)]
    for scale, form in zip((1.0, 2.0), forms, strict=True):
        place = folder.root / form.path
        place.mkdir(parents=True)
        weights(
            place / "model.safetensors",
            model__layers__0__w=("BF16", np.array([[1.0, -2.0], [2.0, 0.0]]) * scale),
            model__embed_tokens__weight=("F32", np.array([3.0, np.nan, 4.0], dtype="<f4")),
            ids=("I64", np.array([1, 2])),
        )
    found = done(folder, "layer_stats", form="50")
    matrix = found["matrices"]["model.layers.0.w"]
    assert (matrix["norm"], matrix["mean"], matrix["largest"], matrix["zeros"]) == (3.0, 0.25, 2.0, 0.25)
    assert found["not_finite"] == 1 and found["layers"]["embed_tokens"]["norm"] == 5.0
    for form in forms:
        weights(folder.root / form.path / "model.safetensors", w=("F32", np.array([3.0, 4.0], dtype="<f4") * form.step))
    drift = done(folder, "layer_drift", form="100", against="50")
    assert drift["matrices"]["w"] == {"drift": 1.0, "cosine": pytest.approx(1.0)} and drift["drift"] == 1.0


def test_cut_and_strange_weights_are_refused(tmp_path: Path) -> None:
    whole = tmp_path / "model.safetensors"
    weights(whole, w=("F32", np.ones(100, dtype="<f4")))
    raw = whole.read_bytes()
    for bad in (raw[:-1], raw[:20], b"", b"\xff" * 64, struct.pack("<Q", 2) + b"[]"):
        whole.write_bytes(bad)
        with pytest.raises(RealmError) as caught:
            matrices_in(whole)
        assert caught.value.code == "MODEL_DAMAGED"


@pytest.mark.parametrize(
    ("name", "raw", "line"),
    [
        ("a.jsonl", b'{"prompt": "q", "answer": "a"}\n{"prompt"', "line 2"),
        ("a.csv", b"question,answer\na,\xff\n", "a.csv"),
        ("a.json", b"[1,", "a.json"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_named_with_its_line(
    folder: SaveFolder, tmp_path: Path, name: str, raw: bytes, line: str
) -> None:
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(RealmError) as caught:
        done(folder, "data_convert", file=str(tmp_path / name))
    assert caught.value.code == "UNREADABLE" and line in caught.value.what
    assert not folder.root.joinpath("papers").exists() or not list((folder.root / "papers").iterdir())
