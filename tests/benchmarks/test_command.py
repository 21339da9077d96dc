"""The benchmark command: what it lists, writes and refuses. No figure is judged here."""

from __future__ import annotations

import json
import os
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHMARKS, Benchmark, main


@pytest.fixture
def environment() -> Iterator[None]:
    """What a program sets for itself is taken back."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_a_report_names_machine_versions_and_date(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["gate", "--runs", "2", "--results", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "gate.json").read_text())
    assert report["benchmark"] == "gate"
    assert report["arguments"] == ["--runs", "2"]
    assert report["machine"]["cores"] >= 1
    assert {"realm", "python", "torch", "trl"} <= set(report["versions"])
    assert report["date"].endswith("+00:00")
    assert report["found"]["gate"][0]["runs"] == 2
    assert "Wins of one level" in capfd.readouterr().out


def test_the_list_names_every_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [one.name for one in BENCHMARKS]


@pytest.mark.filterwarnings("ignore:.*found in sys.modules after import:RuntimeWarning")
@pytest.mark.parametrize("one", BENCHMARKS, ids=lambda one: one.name)
def test_every_benchmark_explains_its_options(
    one: Benchmark, environment: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run as a program, but in this process: most of them load torch first."""
    monkeypatch.setattr(sys, "argv", [one.module, "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module(one.module, run_name="__main__", alter_sys=True)
    assert not end.value.code
    said = capsys.readouterr().out
    assert "--json" in said
    for option in one.quick[::2]:
        assert option in said


def test_a_benchmarks_help_is_asked_of_the_benchmark(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["gate", "--help"]) == 0
    said = capfd.readouterr().out
    assert "--json" in said and "--runs" in said


@pytest.mark.parametrize(
    "words", [["strength"], ["gate", "strength"], ["--runs", "2"], ["gate", "start", "--runs", "2"]]
)
def test_what_cannot_be_run_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "gate" in capsys.readouterr().err


def test_a_benchmark_that_fails_leaves_no_report(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["gate", "--runs", "many", "--results", str(tmp_path)]) == 1
    assert not list(tmp_path.iterdir())
    assert "not measured: gate" in capfd.readouterr().err
