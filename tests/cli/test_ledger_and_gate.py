"""Browsing, comparing and deleting forms, the champion gate, and taking a crown back, on a save with a story in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing

import pytest

from configs.errors import BlockedError
from configs.paths import SaveFolder
from engine.curriculum.pairs import Paired
from realm_tui.runtime.gate_view import Cost, gate_view, questions_wanted
from realm_tui.runtime.ledger_view import Choice, compare, deletion, export_folder, ledger_view
from realm_tui.runtime.opened import opened
from saves import answers, campaigns, ledger
from saves.answers import ExamRequest
from saves.checkpoint_folder import LEDGER_FILE, model_digest, sha256
from saves.database import open_save
from tests.cli.conftest import Answer
from tests.cli.story import at
from tests.saves import facts

Realm = Callable[..., Answer]


def on_disk(folder: SaveFolder, step: int) -> None:
    """Give the story's checkpoint of a step its folder."""
    with closing(open_save(folder, write=False)) as conn:
        form = ledger.find(conn, str(step))
    path = folder.root / form.path
    (path / "trainer").mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "trainer/state.json"):
        (path / name).write_text('{"values": {"applied_seq": 0}}', encoding="utf-8")
    files = {n: sha256(path / n) for n in ("config.json", "model.safetensors", "trainer/state.json")}
    (path / LEDGER_FILE).write_text(json.dumps({"files": files, "digest": model_digest(files)}), encoding="utf-8")


def meet(folder: SaveFolder, step: int, champion: str, challenger: str, *, first: int = 5000) -> None:
    """Let the champion and the form of ``step`` answer the same items; ``C`` and ``H`` are right."""
    with closing(open_save(folder, write=True)) as conn:
        reigning, other = ledger.find(conn, "champion"), ledger.find(conn, str(step))
        for form, letters in ((reigning, champion), (other, challenger)):
            right = sum(letter in "CH" for letter in letters)
            exam = facts.exam(
                conn, form.run_id, 1260, correct=right, items=len(letters), level=3, kind="asked", first_index=first,
                weights=form.digest, checkpoint_id=form.id, duration_s=2.0, at=at(1260),
            )  # fmt: skip
            for position, letter in enumerate(letters):
                good = letter in "CH"
                conn.execute(
                    "UPDATE exam_items SET correct = ?, result = ?, answer = ? WHERE exam_id = ? AND position = ?",
                    (good, "crit" if good else "miss", "④" if good else "⑤", exam, position),
                )
            conn.execute("UPDATE exams SET sequence = ? WHERE id = ?", (letters, exam))


def asked_elsewhere(folder: SaveFolder, step: int) -> None:
    """Let the exam that the form of ``step`` answered last be one that the engine asked of it outside."""
    with closing(open_save(folder, write=True)) as conn:
        form = ledger.find(conn, str(step))
        exam = conn.execute("SELECT max(id) FROM exams WHERE checkpoint_id = ?", (form.id,)).fetchone()[0]
        conn.execute("UPDATE exams SET checkpoint_id = NULL, kind = 'gate' WHERE id = ?", (exam,))
        asked = ExamRequest(
            run_id=form.run_id, step=step, sitting=f"gate:bin:{step}", round=0, position=0, plan="", skill="bin", mix="hatchling",
            level=3, kind="gate", first_index=5000, checkpoint_id=form.id, digest=form.digest, items=(), at=at(step),
        )  # fmt: skip
        answers.entered(conn, answers.post(conn, [asked]), 1260, [exam])


# ---------------------------------------------------------------- browsing


def test_forms_are_chosen_by_words_reason_and_campaign_and_ordered(realm: Realm, played: SaveFolder) -> None:
    def steps(*args: str) -> list[int]:
        return [f["step"] for f in realm("ledger", "list", *args, "--json").json]

    assert steps("level_up") == [400, 900]
    assert steps("champion") == [900] and steps("bin", "l1") == [400]
    assert steps("--reason", "stop") == [1250]
    assert steps("--order", "exam") == [900, 400, 1250]
    assert steps("--campaign", "nobody") == []
    assert realm("ledger", "list", "--order", "beauty").code == 2


def test_the_view_marks_what_matters(played: SaveFolder) -> None:
    with opened(played) as save:
        view = ledger_view(save)
    forms = {f.step: f for f in view.forms}
    assert forms[900].champion and forms[900].best and forms[900].stays == "it is the champion"
    assert forms[1250].newest and "newest" in forms[1250].stays
    assert forms[400].stays == "" and forms[400].exam is not None and forms[400].held == {"bin": 1}
    assert forms[1250].exam is None and view.reasons == ("level_up", "stop")
    assert Choice(text="checkpoint", order="time").of(view.forms)[0].step == 1250


def test_two_forms_beside_each_other(realm: Realm, played: SaveFolder) -> None:
    rows = {r["what"]: r for r in realm("ledger", "compare", "400", "900", "--json").json["rows"]}
    assert rows["step"]["change"] == "+500"
    assert (rows["BIN held"]["change"], rows["BIN held"]["better"]) == ("+1", True)
    assert rows["held-out"] == {"what": "held-out", "first": "–", "second": "–", "change": "", "better": None}
    assert "+8 min" in realm("ledger", "compare", "400", "900").out
    with opened(played) as save:
        one, two, _ = ledger_view(save).forms
    back = {d.what: d for d in compare(two, one)}
    assert back["BIN won"].better is False and back["saved"].change == "-8 min"


# ---------------------------------------------------------------- deleting


def test_deleting_is_said_first_and_done_only_with_yes(realm: Realm, played: SaveFolder) -> None:
    on_disk(played, 400)
    path = played.root / "checkpoints" / "checkpoint-400"
    would = realm("ledger", "delete", "400")
    assert would.code == 0 and would.out.startswith("would delete checkpoint-400-") and path.is_dir()
    assert "the only copy of these weights" in would.err and "the way back to step 400" in would.err
    said = realm("ledger", "delete", "400", "--yes", "--json").json
    assert said["deleted"] and not path.exists()
    assert [f["step"] for f in realm("ledger", "list", "--json").json] == [900, 1250]
    assert realm("ledger", "delete", "400").code == 2


@pytest.mark.parametrize(("which", "why"), [("champion", "it is the champion"), ("latest", "it is the newest")])
def test_what_must_stay_stays(realm: Realm, played: SaveFolder, which: str, why: str) -> None:
    for option in ((), ("--yes",)):
        refused = realm("ledger", "delete", which, *option)
        assert refused.code == 3 and why in refused.err
    assert len(realm("ledger", "list", "--json").json) == 3


def test_the_newest_form_of_a_campaign_that_waits_stays_too(realm: Realm, played: SaveFolder) -> None:
    realm("campaign", "new", "--name", "second", "--from", "900", "--json")
    with closing(open_save(played, write=True)) as conn:
        campaigns.activate(conn, campaigns.campaigns(conn)[-1].id)
    assert "newest" in realm("ledger", "delete", "1250").err


def test_a_form_that_a_campaign_began_with_stays(played: SaveFolder) -> None:
    with closing(open_save(played, write=True)) as conn:
        form = ledger.find(conn, "400")
        hero = dict(campaigns.active_campaign(conn).hero)
        campaigns.add_campaign(conn, hero=hero, name="child", seed=1, overrides={}, starting_checkpoint_id=form.id)
        assert ledger.reason_to_stay(conn, ledger.checkpoint(conn, form.id)) == "campaign-002 began with it"


def test_a_copy_elsewhere_is_named_and_an_export_finds_a_free_place(played: SaveFolder) -> None:
    with opened(played) as save:
        form = ledger_view(save).forms[0]
        (played.root / "champions" / form.name).mkdir(parents=True)
        plan = deletion(save, form)
        assert plan.copies and "the only copy of these weights" not in plan.loses
        first = export_folder(save, form)
        first.mkdir(parents=True)
        assert export_folder(save, form).name == f"{form.name}-2"


# ---------------------------------------------------------------- the crown


def test_a_crown_is_taken_back_with_one_command(realm: Realm, played: SaveFolder) -> None:
    on_disk(played, 900)
    on_disk(played, 400)
    assert realm("promote", "400", "--json").json["step"] == 400
    forms = {f["step"]: f for f in realm("ledger", "list", "--json").json}
    assert forms[400]["champion"] and forms[400]["protected"] and forms[900]["protected"]
    undone = realm("promote", "--undo", "--json").json
    assert (undone["step"], undone["uncrowned"][:14]) == (900, "checkpoint-400")
    forms = {f["step"]: f for f in realm("ledger", "list", "--json").json}
    assert forms[900]["champion"] and not forms[400]["champion"]
    assert not forms[400]["protected"], "a form that lost its only crown is kept no longer than any other"
    assert realm("promote", "--undo", "--json").json["step"] == 400, "an undo is undone like any crowning"
    assert realm("promote", "400", "--undo").code == 2


def test_the_first_crown_taken_back_leaves_nobody(realm: Realm, played: SaveFolder) -> None:
    said = realm("promote", "--undo")
    assert said.out == "champion: nobody\n" and "champion no more" in said.err
    assert realm("status", "--json").json["champion"] is None
    refused = realm("promote", "--undo")
    assert refused.code == 3 and "no champion" in refused.err


def test_a_deleted_form_never_reigns_again(played: SaveFolder) -> None:
    with closing(open_save(played, write=True)) as conn:
        ledger.crown(conn, ledger.find(conn, "400").id, None, None)
        ledger.mark_deleted(conn, ledger.find(conn, "900").id)
        fallen, reigning = ledger.uncrown(conn, "campaign-001")
        assert fallen.exam_id is None and reigning is None
        with pytest.raises(BlockedError):
            ledger.uncrown(conn, "campaign-001")


# ---------------------------------------------------------------- the gate


def test_two_forms_that_never_met_are_told_so(realm: Realm, played: SaveFolder) -> None:
    seen = realm("ledger", "gate", "--json").json
    assert (seen["verdict"], seen["whole"], seen["challenger"][:14]) == ("unasked", None, "checkpoint-400")
    assert "never answered the same questions" in realm("ledger", "gate").out
    assert realm("ledger", "gate", "--ask", "16").code == 3, "asking needs an engine"


@pytest.mark.parametrize(
    ("champion", "challenger", "verdict"),
    [
        ("C" * 20 + "M" * 44, "C" * 50 + "M" * 14, "better"),
        ("C" * 50 + "M" * 14, "C" * 20 + "M" * 44, "worse"),
        ("C" * 32 + "M" * 32, "C" * 30 + "MMHH" + "M" * 30, "unshown"),
    ],
)
def test_the_same_questions_decide(
    realm: Realm, played: SaveFolder, champion: str, challenger: str, verdict: str
) -> None:
    meet(played, 1250, champion, challenger)
    seen = realm("ledger", "gate", "1250", "--json").json
    assert seen["verdict"] == verdict and seen["whole"]["items"] == 64
    assert seen["cost"]["asked"] == 128 and seen["cost"]["seconds"] == 4.0
    assert len(seen["bouts"]) == 1
    out = realm("ledger", "gate", "1250").out
    assert "bin L3 (hatchling): 64 items" in out and "cost: 128 questions, 4.0 s" in out


def test_the_items_that_decide_are_shown_and_those_that_errored_are_not(played: SaveFolder) -> None:
    meet(played, 1250, "CCMM?", "CMCM" + "C")
    with opened(played) as save:
        seen = gate_view(save, "1250")
    assert (seen.whole.items, seen.whole.better, seen.whole.worse) == (4, 1, 1)
    assert [d.won for d in seen.discordant[:2]] == [False, True]
    assert seen.discordant[0].prompt == "②+②"


def test_a_form_with_the_champions_own_weights_is_no_challenger(realm: Realm, played: SaveFolder) -> None:
    with closing(open_save(played, write=True)) as conn:
        conn.execute(
            "UPDATE checkpoints SET digest = (SELECT digest FROM checkpoints WHERE step = 900) WHERE step = 400"
        )
    assert realm("ledger", "gate", "--json").json["challenger"].startswith("checkpoint-1250")
    same = realm("ledger", "gate", "400", "--json").json
    assert "own weights" in same["refused"] and "own weights" in realm("ledger", "gate", "400").out


def test_exams_of_other_questions_never_meet(played: SaveFolder) -> None:
    meet(played, 1250, "C" * 8, "C" * 8)
    with closing(open_save(played, write=True)) as conn:
        conn.execute("UPDATE exams SET skill_version = 'other' WHERE checkpoint_id IS NOT NULL AND weights LIKE '%4e2'")
    with opened(played) as save:
        assert gate_view(save, "1250").bouts == ()


def test_the_live_hero_of_a_forms_own_step_answered_for_it(played: SaveFolder) -> None:
    with closing(open_save(played, write=True)) as conn:
        reigning = ledger.find(conn, "champion")
        facts.exam(
            conn, 1, 1250, correct=9, items=16, level=3, kind="asked", first_index=7000, weights="ema", at=at(1250)
        )
        facts.exam(
            conn, 1, 1250, correct=4, items=16, level=3, kind="asked", first_index=7000, weights=reigning.digest,
            checkpoint_id=reigning.id, at=at(1250),
        )  # fmt: skip
    with opened(played) as save:
        seen = gate_view(save, "1250")
    assert [b.pair.better for b in seen.bouts] == [5]


def test_an_exam_that_a_form_answered_elsewhere_is_its_own(played: SaveFolder) -> None:
    meet(played, 1250, "C" * 8, "CCCCmmmm")
    asked_elsewhere(played, 1250)
    with opened(played) as save:
        assert [b.pair.items for b in gate_view(save, "1250").bouts] == [8]


def test_how_many_more_questions_would_decide() -> None:
    assert questions_wanted(Paired(30, 30, 0, 4), 0.05) is None, "it is decided"
    assert questions_wanted(Paired(30, 3, 3, 28), 0.05) is None, "nothing points anywhere"
    assert questions_wanted(Paired(0, 0, 0, 0), 0.05) is None
    wanted = questions_wanted(Paired(30, 6, 2, 26), 0.05)
    assert wanted is not None and wanted % 64 == 0 and wanted > 0


def test_what_asking_costs_is_unknown_before_anything_was_measured() -> None:
    assert Cost(0, 0.0, None, None).of(64) is None and Cost(0, 0.0, 0.05, None).steps(6.4) is None
    assert Cost(0, 0.0, 0.05, 10.0).steps(Cost(0, 0.0, 0.05, 10.0).of(64)) == 64
