"""Campaigns in the trainer: an old form begins a new one, a recipe re-runs to the last bit, a reset leaves an empty one that plays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from configs.errors import BlockedError, RealmError, UsageError
from configs.loader import load_game
from engine.link.protocol import Verb
from engine.trainer.heir import check_words
from engine.trainer.promotion import find_form
from engine.trainer.summon import summon
from realm_tui.runtime import campaigns, recipe
from realm_tui.runtime.opened import opened
from saves import archive, incidents, ledger, reset
from saves.campaigns import activate, get_setting
from saves.campaigns import campaigns as listed
from saves.database import open_save
from saves.milestones import milestones
from saves.peaks import curve, peaks
from saves.runs import latest_run
from saves.verify import verify_save
from skills.registry import get_skill
from tests.trainer.conftest import World, command, tiny_hero
from tests.trainer.test_resume import assert_same

MakeWorld = Callable[..., World]


def play(world: World, campaign_id: str) -> None:
    conn = open_save(world.folder, write=True)
    activate(conn, campaign_id)
    conn.close()


def test_new_game_plus_begins_with_an_old_form_and_wins_its_levels_anew(make_world: MakeWorld) -> None:
    world = make_world()
    world.train(25)
    conn = open_save(world.folder, write=False)
    form = ledger.newest_checkpoint(conn, "campaign-001")
    assert form is not None
    made = campaigns.begin(world.folder, from_form="latest", name="again")
    assert (made.parent_id, made.starting_checkpoint_id, made.status) == ("campaign-001", form.id, "paused")
    assert ledger.checkpoint(conn, form.id).protected
    play(world, made.id)
    game = world.wake()
    state = next(iter(game.values.curricula.values()))
    assert (game.values.step, state.mastered) == (0, 0)
    saved = dict(weights_of(ledger.folder_of(world.folder, form)))
    for name, tensor in game.hero.weights().items():
        assert torch.equal(tensor, saved[name])
    game.recorder.close(game.recorder.state)
    game.conn.close()
    world.train(4)
    run = latest_run(conn, made.id)
    assert run is not None and run.last_step == 4
    play(world, "campaign-001")
    assert world.train(27).values.step == 27, "the first campaign goes on where it stood"


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    found: dict[str, torch.Tensor] = load_file(folder / "model.safetensors")
    return found


def test_a_form_of_another_shape_begins_nothing(make_world: MakeWorld) -> None:
    world = make_world()
    world.train(4)
    with pytest.raises(BlockedError) as caught:
        campaigns.begin(world.folder, hero="pip", from_form="latest")
    assert caught.value.code == "OTHER_MODEL" and "shape" in caught.value.why
    conn = open_save(world.folder, write=False)
    assert len(listed(conn)) == 1


def test_a_recipe_re_runs_in_another_save_to_the_last_bit(make_world: MakeWorld, tmp_path: Path) -> None:
    first = make_world("first")
    one = first.train(32, [(5, command(Verb.SET, rate=0.5)), (9, command(Verb.SET, replay=0.1))])
    file = tmp_path / "method.yaml"
    made = recipe.export(first.folder, None, file)
    assert [o.step for o in made.orders] == [5, 9] and made.marks and made.curve[-1].step == 32
    second = make_world("second")
    again = recipe.re_run(second.folder, recipe.read(file), "again")
    assert not again.differences
    play(second, again.campaign.id)
    second.train(7, crash=True)
    second.train(15)
    two = second.train(32)
    assert two.values.rate_factor == 0.5
    assert_same(one, two)
    with opened(second.folder) as save:
        laps = recipe.race(save, recipe.ghost_of(made))
        assert laps and all(lap.strain and lap.ghost_strain and lap.levels == lap.ghost_levels for lap in laps)


def test_a_ghost_is_kept_without_its_hero(make_world: MakeWorld) -> None:
    world = make_world()
    world.train(12)
    with opened(world.folder) as save:
        made = recipe.recipe_of(save, save.campaign)
    recipe.keep_ghost(world.folder, recipe.ghost_of(made))
    with opened(world.folder) as save:
        kept = recipe.ghost(save)
        assert kept is not None and kept.curve and kept == recipe.ghost_of(made)
    recipe.keep_ghost(world.folder, None)
    assert get_setting(open_save(world.folder, write=False), recipe.GHOST) is None


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [("seed:", "sead:", "seed"), ("format: 1", "format: 9", "format"), ("steps: 6", "steps: many", "steps")],
)
def test_a_broken_recipe_is_named_with_its_field(
    make_world: MakeWorld, tmp_path: Path, before: str, after: str, told: str
) -> None:
    world = make_world()
    world.train(6)
    file = tmp_path / "method.yaml"
    recipe.export(world.folder, None, file)
    text = file.read_text()
    assert f"\n{before}" in text
    file.write_text(text.replace(f"\n{before}", f"\n{after}", 1))
    with pytest.raises(RealmError) as caught:
        recipe.read(file)
    assert told in caught.value.text()
    with pytest.raises(BlockedError):
        recipe.export(world.folder, None, file)


def test_peaks_and_milestones_follow_from_what_counts(make_world: MakeWorld) -> None:
    world = make_world()
    world.train(45)
    conn = open_save(world.folder, write=False)
    (campaign,) = listed(conn)
    best = peaks(conn, campaign.id)
    assert best.levels["bin"] >= 1 and best.accuracy is not None and best.train_loss is not None
    kinds = [m.kind for m in milestones(conn, campaign)]
    assert kinds[0] == "first_step" and kinds.count("level_up") == best.levels["bin"]
    points = curve(conn, campaign.id, points=3)
    assert len(points) <= 3 and points[-1].step == 45 and [p.tokens for p in points] == sorted(p.tokens for p in points)


def test_archiving_the_active_campaign_wants_a_successor_and_keeps_what_was_reached(make_world: MakeWorld) -> None:
    world = make_world()
    world.train(25)
    with pytest.raises(BlockedError) as caught:
        campaigns.archive(world.folder, None)
    assert caught.value.code == "CAMPAIGN_ACTIVE" and "new" in caught.value.fix
    made = campaigns.begin(world.folder, name="the second")
    gone = campaigns.archive(world.folder, None, then=made.id)
    assert gone.status == "archived" and gone.summary["levels"]["bin"] >= 1
    ((legend, summary),) = campaigns.hall(world.folder)
    assert legend.id == "campaign-001" and summary["step"] == 25
    with opened(world.folder) as save:
        assert save.campaign.id == made.id
    assert campaigns.switch(world.folder, "1").status == "active"
    assert not campaigns.hall(world.folder)


def test_campaign_names_are_unique_and_heroes_may_differ(make_world: MakeWorld) -> None:
    world = make_world()
    other = campaigns.begin(world.folder, hero="dio")
    assert other.hero_id.startswith("dio") and other.id == "campaign-002"
    with pytest.raises(UsageError):
        campaigns.begin(world.folder, name=other.name.upper())
    with pytest.raises(RealmError):
        campaigns.begin(world.folder, overrides={"curriculum": {"horizon": "far"}})
    conn = open_save(world.folder, write=False)
    assert len(listed(conn)) == 2


@pytest.mark.parametrize("depth", reset.DEPTHS)
def test_a_reset_says_what_would_go_and_takes_only_that(
    make_world: MakeWorld, depth: reset.Depth, tmp_path: Path
) -> None:
    world = make_world()
    promoted = command(Verb.PROMOTE)
    world.train(25, [(23, promoted)])
    other = campaigns.begin(world.folder, name="other")
    play(world, other.id)
    world.train(5)
    conn = open_save(world.folder, write=True)
    (first, second) = listed(conn)
    plan = reset.plan_reset(world.folder, conn, depth, first)
    assert conn.execute("SELECT count(*) FROM runs").fetchone()[0] == 2, "a plan changes nothing"
    wiped = {"campaign": {first.id}}.get(depth, {first.id, second.id})
    assert set(plan.campaigns) == wiped and plan.facts > 10 and plan.bytes > 0
    copy = reset.carry_out(world.folder, conn, plan, first)
    assert (world.folder.backups / copy).is_file()
    left = {r[0] for r in conn.execute("SELECT DISTINCT campaign_id FROM runs")}
    assert left == {first.id, second.id} - wiped
    assert {c.id for c in listed(conn)} == ({first.id} if depth in reset.TYPED else {first.id, second.id})
    assert conn.execute("PRAGMA foreign_key_check").fetchone() is None
    folders = {p.name for p in world.folder.checkpoints.iterdir()}
    assert folders == {c.name for c in ledger.kept_checkpoints(conn)}
    assert bool(list((world.folder.root / "champions").glob("checkpoint-*"))) == (depth != "deep")
    conn.close()
    play(world, first.id)
    assert world.train(3).values.step == 3


def test_a_form_that_another_campaign_began_with_is_not_reset_away(make_world: MakeWorld) -> None:
    world = make_world()
    world.train(6)
    child = campaigns.begin(world.folder, from_form="latest", name="child")
    conn = open_save(world.folder, write=True)
    with pytest.raises(BlockedError) as caught:
        reset.plan_reset(world.folder, conn, "campaign", listed(conn)[0])
    assert caught.value.code == "FORM_IN_USE" and child.id in caught.value.what


@pytest.mark.parametrize(
    ("training", "step", "waiting", "drills", "action", "steps"),
    [
        (True, 9, 0, True, "wait", None),
        (False, 9, 0, False, "quest", None),
        (False, 0, 0, True, "begin", 1000),
        (False, 4_999, 0, True, "train", 1000),
        (False, 5_000, 0, True, "train", 2000),
        (False, 20_000, 1, False, "train", 3000),
        (False, 50_000, 0, True, "train", 5000),
    ],
)
def test_the_next_action(training: bool, step: int, waiting: int, drills: bool, action: str, steps: Any) -> None:
    found = campaigns.next_action(training, step, waiting, drills, load_game().campaign)
    assert (found.action, found.steps) == (action, steps)


def test_notes_stand_among_the_milestones(make_world: MakeWorld) -> None:
    world = make_world()
    world.train(4)
    campaigns.remember(world.folder, "  a   new\tlamp ")
    _, _, marks = campaigns.told(world.folder, None)
    assert [m.note for m in marks if m.kind == "note"] == ["a new lamp"]
    with pytest.raises(UsageError):
        campaigns.remember(world.folder, " ")


def test_each_campaign_has_forms_and_a_champion_of_its_own(make_world: MakeWorld) -> None:
    """Several heroes in one save: no word like `latest`, `best` or `champion` ever means another campaign's form."""
    world = make_world()
    world.train(25, [(23, command(Verb.PROMOTE))])
    conn = open_save(world.folder, write=True)
    first = ledger.champion(conn)
    assert first is not None
    other = campaigns.begin(world.folder, name="other")
    play(world, other.id)
    assert ledger.champion(conn) is None
    with pytest.raises(BlockedError):
        find_form(conn, "champion")
    with pytest.raises(BlockedError):
        find_form(conn, "best")
    with pytest.raises(UsageError):
        find_form(conn, "latest")
    world.train(12, [(11, command(Verb.PROMOTE))])
    second = ledger.champion(conn)
    assert second is not None and second.id != first.id
    assert find_form(conn, "latest").step == 12
    assert {c.id for c in ledger.reigning(conn)} == {first.id, second.id}
    with pytest.raises(BlockedError):
        ledger.mark_deleted(conn, first.checkpoint_id)
    play(world, "campaign-001")
    again = ledger.champion(conn)
    assert again is not None and again.id == first.id and find_form(conn, "latest").step == 25
    conn.close()
    assert verify_save(world.folder).ok


def test_new_game_plus_from_a_campaign_takes_its_champion_and_its_hero(make_world: MakeWorld) -> None:
    world = make_world()
    world.train(25, [(23, command(Verb.PROMOTE))])
    conn = open_save(world.folder, write=False)
    crowned = ledger.champion(conn, "campaign-001")
    assert crowned is not None
    play(world, campaigns.begin(world.folder, hero="dio").id)
    heir = campaigns.begin(world.folder, from_form="campaign-001", name="heir")
    assert heir.starting_checkpoint_id == crowned.checkpoint_id and heir.hero["id"] == listed(conn)[0].hero["id"]
    with pytest.raises(BlockedError) as caught:
        campaigns.begin(world.folder, from_form="campaign-002", name="of nobody")
    assert caught.value.code == "NO_CHECKPOINT"


def test_a_form_that_does_not_know_a_skill_s_tokens_begins_nothing(make_world: MakeWorld) -> None:
    world = make_world()
    world.train(4)
    conn = open_save(world.folder, write=False)
    form = ledger.newest_checkpoint(conn, "campaign-001")
    assert form is not None
    path = ledger.folder_of(world.folder, form)
    config = tiny_hero()
    check_words(path, config)
    needed = next(t for s in config.skills for t in get_skill(s).special_tokens())
    text = (path / "tokenizer.json").read_text(encoding="utf-8")
    (path / "tokenizer.json").write_text(text.replace(json.dumps(needed, ensure_ascii=False), '"(gone)"'), "utf-8")
    with pytest.raises(BlockedError) as caught:
        check_words(path, config)
    assert caught.value.code == "OTHER_MODEL" and needed in caught.value.why


def test_a_campaign_that_is_reset_keeps_what_it_began_with(make_world: MakeWorld) -> None:
    world = make_world()
    world.train(12)
    child = campaigns.begin(world.folder, from_form="latest", name="child")
    play(world, child.id)
    world.train(6)
    conn = open_save(world.folder, write=True)
    meant = listed(conn)[1]
    reset.carry_out(world.folder, conn, reset.plan_reset(world.folder, conn, "campaign", meant), meant)
    left = listed(conn)[1]
    assert (left.starting_checkpoint_id, left.parent_id, left.seed) == (
        child.starting_checkpoint_id, "campaign-001", child.seed,
    )  # fmt: skip
    game = world.train(3)
    assert game.values.step == 3
    both = reset.plan_reset(world.folder, conn, "hero", left)
    reset.carry_out(world.folder, conn, both, left)
    assert listed(conn)[1].starting_checkpoint_id is None, "the form it began with went as well"


def test_a_recipe_carries_every_rule_of_its_own_campaign_and_no_path(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world()
    made = campaigns.begin(world.folder, name="strict", overrides={"exams": {"items": 128}, "engine": {"nice": 3}})
    recipe.export(world.folder, made.id, tmp_path / "strict.yaml")
    read = recipe.read(tmp_path / "strict.yaml")
    assert read.rules["exams"]["items"] == 128 and {"forgetting", "primitives", "quests"} <= read.rules.keys()
    other = make_world("other")
    again = recipe.re_run(other.folder, read).campaign
    assert again.overrides["exams"]["items"] == 128 and "engine" not in again.overrides
    assert again.began_at == made.created_at == read.began_at, "a hero that is told the date is told the same"


@pytest.mark.parametrize("verb", ["forget", "stop", "promote", "summon"])
def test_a_recipe_orders_nothing_but_what_is_learnt(make_world: MakeWorld, tmp_path: Path, verb: str) -> None:
    world = make_world()
    file = tmp_path / "method.yaml"
    recipe.export(world.folder, None, file)
    order = f"orders:\n- {{step: 1, verb: {verb}, args: {{name: latest}}}}"
    file.write_text(file.read_text().replace("orders: []", order))
    with pytest.raises(RealmError) as caught:
        recipe.read(file)
    assert "orders.0.verb" in caught.value.text()


def test_a_recipe_is_followed_again_after_going_back(make_world: MakeWorld, tmp_path: Path) -> None:
    """Orders that came after the form gone back to are given once more, at their steps; those before it are not."""
    first = make_world("first")
    one = first.train(30, [(5, command(Verb.SET, rate=0.5)), (18, command(Verb.SET, rate=0.25))])
    file = tmp_path / "method.yaml"
    recipe.export(first.folder, None, file)
    second = make_world("second")
    play(second, recipe.re_run(second.folder, recipe.read(file)).campaign.id)
    second.train(9)
    second.train(24)
    conn = open_save(second.folder, write=True)
    summon(second.folder, conn, "9", really=True)
    conn.close()
    two = second.train(30)
    assert two.values.rate_factor == 0.25
    assert_same(one, two)


def test_an_order_of_a_recipe_that_cannot_be_given_is_told_and_training_goes_on(
    make_world: MakeWorld, tmp_path: Path
) -> None:
    first = make_world("first")
    first.train(6, [(2, command(Verb.SET, weights={"bin": 1.0}))])
    file = tmp_path / "method.yaml"
    recipe.export(first.folder, None, file)
    text = file.read_text()
    assert "bin: 1.0" in text
    file.write_text(text.replace("bin: 1.0", "chess: 1.0"))
    second = make_world("second")
    play(second, recipe.re_run(second.folder, recipe.read(file)).campaign.id)
    assert second.train(8).values.step == 8
    assert second.train(10).values.step == 10
    conn = open_save(second.folder, write=False)
    (told,) = [i for i in incidents.open_incidents(conn) if i.rule == "recipe_order_refused"]
    assert (told.step, told.count, told.blocks) == (2, 1, False)


def test_a_recipe_may_be_re_run_more_than_once(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world()
    recipe.export(world.folder, None, tmp_path / "method.yaml")
    made = recipe.read(tmp_path / "method.yaml")
    names = [recipe.re_run(world.folder, made).campaign.name for _ in range(3)]
    assert len(set(names)) == 3
    strange = made.model_copy(update={"hero": made.hero.model_copy(update={"skills": {"chess": "full"}})})
    before = len(listed(open_save(world.folder, write=False)))
    with pytest.raises(UsageError):
        recipe.re_run(world.folder, strange)
    assert len(listed(open_save(world.folder, write=False))) == before


def test_a_campaign_may_change_its_hero_s_fields(make_world: MakeWorld) -> None:
    world = make_world()
    made = campaigns.begin(world.folder, name="slow", hero_overrides={"training": {"learning_rate": 1e-5}})
    assert made.hero["training"]["learning_rate"] == 1e-5
    with pytest.raises(RealmError) as caught:
        campaigns.begin(world.folder, name="odd", hero_overrides={"training": {"lerning_rate": 1}})
    assert "did you mean `learning_rate`" in caught.value.why


def test_an_export_takes_along_what_a_campaign_begins_with(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world()
    world.train(6)
    child = campaigns.begin(world.folder, from_form="latest", name="child")
    play(world, child.id)
    kept = archive.export_save(world.folder, tmp_path / "a.realm.tar.gz", keep="champion")
    conn = open_save(world.folder, write=True)
    assert child.starting_checkpoint_id is not None
    form = ledger.checkpoint(conn, child.starting_checkpoint_id)
    assert kept.checkpoints == (form.name,)
    ledger.mark_deleted(conn, form.id)
    conn.close()
    with pytest.raises(RealmError) as caught:
        world.wake()
    assert caught.value.code == "CHECKPOINT_GONE" and form.name in caught.value.why
