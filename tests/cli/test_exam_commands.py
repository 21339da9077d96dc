"""``realm exam``: what was asked, how sure that is, the plan behind it, and how often the gate errs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from configs.paths import SaveFolder
from saves.database import open_save
from saves.drifts import add_drift
from saves.rows import Drift, Trial
from saves.trials import add_trial
from tests.cli.conftest import Answer
from tests.cli.story import NOW
from tests.saves import facts

Realm = Callable[..., Answer]
Golden = Callable[[str, str], None]


def test_every_accuracy_comes_with_its_interval(realm: Realm, played: SaveFolder, golden: Golden) -> None:
    golden("exam_list.txt", realm("exam", "list").out)
    found = realm("exam", "list", "--level", "3", "--json").json
    assert [(e["correct"], e["items"]) for e in found] == [(51, 64), (53, 64)]
    for exam in found:
        low, high = exam["interval"]
        assert 0 < low < exam["accuracy"] < high < 1
    assert realm("exam", "list", "--kind", "suite", "--json").json == []
    assert len(realm("exam", "list", "--limit", "2", "--json").json) == 2


def test_one_exam_is_shown_by_operation_beside_chance_and_item_by_item(
    realm: Realm, played: SaveFolder, golden: Golden
) -> None:
    newest = realm("exam", "list", "--limit", "1", "--json").json[0]["id"]
    golden("exam_show.txt", realm("exam", "show", str(newest)).out)
    shown = realm("exam", "show", str(newest), "--json").json
    assert len(shown["asked"]) == 64 == len(shown["sequence"])
    assert sum(i["correct"] for i in shown["asked"]) == 51
    items = realm("exam", "show", str(newest), "--items").out
    assert "miss      ②+② → ⑤  (right: ④)" in items
    assert realm("exam", "show", "9999").code == 2


def test_two_exams_on_the_same_questions_are_compared_item_by_item(realm: Realm, played: SaveFolder) -> None:
    with closing(open_save(played, write=True)) as conn:
        run_id = conn.execute("SELECT max(id) FROM runs").fetchone()[0]
        before = facts.exam(conn, run_id, 1240, correct=20, level=9, kind="pair")
        after = facts.exam(conn, run_id, 1240, correct=45, level=9, kind="pair")
        other = facts.exam(conn, run_id, 1240, correct=45, level=9, kind="pair", first_index=64)
    pair = realm("exam", "show", str(after), "--against", str(before), "--json").json["against"]
    assert (pair["better"], pair["worse"], pair["both"], pair["finding"]) == (25, 0, 20, "better")
    assert pair["interval"][0] > 0
    said = realm("exam", "show", str(after), "--against", str(before)).out
    assert f"against exam {before}: better: +.39 (" in said
    refused = realm("exam", "show", str(other), "--against", str(before))
    assert refused.code == 2 and "did not ask the same questions" in refused.err


def test_the_plan_says_what_comes_when_and_what_is_left_out(realm: Realm, played: SaveFolder) -> None:
    found = realm("exam", "plan", "--json").json
    entries = {entry["id"]: entry for entry in found["entries"]}
    assert entries["quick"]["due"] == "next checkpoint"
    assert entries["passive_logic"]["due"] == "on command"
    assert entries["passive_logic"]["left_out"][0].startswith("a hatchling began knowing nothing")
    assert found["budget_share"] == pytest.approx(0.10)
    assert found["measured_share"] == pytest.approx(found["exam_s"] / found["training_s"])
    text = realm("exam", "plan")
    assert text.out.splitlines()[0].split()[:3] == ["ENTRY", "KIND", "WHEN"]
    assert "exams took" in text.err


def test_drifts_are_listed_worst_first(realm: Realm, played: SaveFolder) -> None:
    assert realm("exam", "drift").err == "nothing was compared with its best yet\n"
    with closing(open_save(played, write=True)) as conn:
        run_id = conn.execute("SELECT max(id) FROM runs").fetchone()[0]
        for entry, now, severity in (("core_gate", 28, "none"), ("skill_coverage", 12, "critical")):
            detail = {"best": [29, 30], "now": [now, 30], "drop": (29 - now) / 30, "by_chance": 0.001}
            add_drift(
                conn,
                Drift(
                    run_id=run_id, step=1240, plan=entry, skill="bin", level=1, baseline=29 / 30, share=now / 30,
                    severity=severity, detail=detail, at=NOW,
                ),
            )  # fmt: skip
    assert [d["entry"] for d in realm("exam", "drift", "--json").json] == ["skill_coverage", "core_gate"]
    assert [d["severity"] for d in realm("exam", "drift", "--alarms", "--json").json] == ["critical"]
    assert realm("exam", "drift").out.splitlines()[1].split() == [
        "skill_coverage", "bin", "1", "1,240", ".96", ".40", ".16–.67", "critical",
    ]  # fmt: skip


def test_the_gate_states_its_error_rates_and_keeps_its_promises(realm: Realm) -> None:
    answer = realm("exam", "gate", "--runs", "10", "--json")
    assert answer.code == 0
    rates = {(r["event"], r["accuracy"], r["within"]): r for r in answer.json["rates"]}
    assert rates["level won", 0.70, "300 exams"]["exact"] < 0.01
    assert rates["level won", 0.90, "400 items"]["exact"] >= 0.95
    assert rates["called lost", 0.85, "one screening"]["exact"] < 0.01
    assert rates["called lost", 0.50, "one screening"]["exact"] >= 0.95
    assert {k for k, r in rates.items() if r["kept"] is None} == {
        ("level won", 0.70, "2,000 exams"),
        ("level won", 0.75, "300 exams"),
        ("level won", 0.75, "2,000 exams"),
        ("called lost", 0.60, "one screening"),
    }
    for rate in rates.values():
        assert rate["interval"][0] <= rate["simulated"] <= rate["interval"][1]


def test_rules_that_break_a_promise_are_told_so(realm: Realm) -> None:
    from configs.paths import config_dir

    config_dir().mkdir(parents=True)
    (config_dir() / "game.yaml").write_text("exams: {streak: 1}\n", encoding="utf-8")
    answer = realm("exam", "gate", "--runs", "2")
    assert answer.code == 1
    assert "NOT KEPT" in answer.out


def test_an_exam_on_command_needs_an_engine_and_names_one_thing(realm: Realm, played: SaveFolder) -> None:
    alone = realm("exam", "run", "core_gate")
    assert alone.code == 3 and "no engine is running" in alone.err
    assert realm("skill", "exam", "bin", "--level", "2").code == 3
    both = realm("exam", "run", "core_gate", "--level", "3")
    assert both.code == 2 and "says itself what it asks" in both.err


def test_a_trial_asks_for_experience_first(realm: Realm, played: SaveFolder) -> None:
    assert "no engine is running" in realm("exam", "trial", "logic_weaving").err, "the first level asks for none"
    with closing(open_save(played, write=True)) as conn:
        run_id = conn.execute("SELECT max(id) FROM runs").fetchone()[0]
        add_trial(
            conn,
            Trial(
                run_id=run_id, step=1000, discipline="logic_weaving", level=1, items=100, correct=80, threshold=0.6,
                passed=True, at=NOW,
            ),
        )  # fmt: skip
    refused = realm("exam", "trial", "logic_weaving")
    assert refused.code == 3 and "asks for more experience" in refused.err
    assert realm("exam", "trial", "nonsense").code == 2
