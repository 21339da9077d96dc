"""What the Battle screen adds to bare figures: what was just gained, a level that shines, weather, room, effects, notices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from configs import clock
from engine.link.state import EngineState
from lore.lexicon import entry
from realm_tui.app.drawing import Look, Row, width_of
from realm_tui.app.facts import EffectLine, Facts
from realm_tui.app.pulse import FLASH_S, Heart, Pulse
from realm_tui.app.widgets.hero import HeroPanel, effect_row, hero_rows
from realm_tui.app.widgets.scenery import damage, room_key, room_rows, weather
from realm_tui.app.widgets.skills import SkillsPanel
from realm_tui.runtime.status import ChampionStatus
from tests.face import samples
from tests.face.test_screen import settle

LOOK = Look()


def words(rows: list[Row]) -> str:
    return "\n".join("".join(text for text, _ in row) for row in rows)


@pytest.fixture
def now() -> Iterator[list[float]]:
    """A clock that the test moves."""
    held = [100.0]
    clock.use(lambda: samples.NOW, lambda: held[0])
    yield held
    clock.use()


def later(facts: Facts, **changes: object) -> Facts:
    return replace(facts, status=replace(facts.status, **changes))  # type: ignore[arg-type]


def won(facts: Facts, level: int) -> Facts:
    return later(facts, skills={"bin": replace(facts.status.skills["bin"], mastered=level)})


def test_what_was_gained_stands_in_a_cell_of_its_own_and_moves_nothing() -> None:
    heart, facts = Heart(), samples.facts()
    assert heart.beat(facts).gained == 0
    pulse = heart.beat(later(facts, xp=1219))
    assert pulse.gained == 15
    still, gained = (hero_rows(facts, LOOK, 42, 12, p) for p in (Pulse(), pulse))
    assert "+15" in words(gained) and "+" not in words(still)
    assert words(gained).replace("+15", "   ") == words(still)


def test_nothing_is_gained_by_looking_at_another_campaign_or_at_a_hero_that_went_back() -> None:
    facts = samples.facts()
    heart = Heart()
    heart.beat(facts)
    assert heart.beat(later(facts, campaign="campaign-002", xp=9000)) == Pulse()
    assert heart.beat(later(facts, campaign="campaign-002", xp=8000)).gained == 0
    assert heart.beat(later(facts, campaign="campaign-002", xp=8100, state=EngineState.STOPPED)).gained == 0


def test_a_won_level_shines_for_a_moment_and_is_told_once(now: list[float]) -> None:
    heart, facts = Heart(), samples.facts()
    heart.beat(facts)
    risen = won(facts, 3)
    first = heart.beat(risen)
    assert first.won == (("bin", 3),) and first.told == (("won", "BIN 3"),) and not first.gold
    now[0] += FLASH_S / 2
    again = heart.beat(later(risen, xp=1300))
    assert again.won == (("bin", 3),) and again.told == ()
    now[0] += FLASH_S
    assert heart.beat(later(risen, xp=1310)).won == ()


def test_it_shines_in_gold_where_nine_answers_in_ten_were_right(now: list[float]) -> None:
    heart, facts = Heart(), samples.facts()
    heart.beat(facts)
    assert samples.EXAM.items == 64
    fine = replace(won(facts, 3), exam=replace(samples.EXAM, correct=58))
    assert heart.beat(fine).gold


def test_a_crown_and_new_trouble_are_told() -> None:
    heart, facts = Heart(), samples.facts()
    heart.beat(facts)
    crowned = later(facts, champion=ChampionStatus("step 1,000", 1000, "", "", samples.NOW), incidents=2)
    assert heart.beat(crowned).told == (("champion", "step 1,000"), ("incident", "2"))
    assert heart.beat(crowned).told == ()


@pytest.mark.parametrize(
    ("loss", "key"),
    [(None, None), (0.2, "clear"), (0.7, "clouds"), (1.5, "rain"), (2.5, "storm"), (float("nan"), None)],
)
def test_a_storm_rages_above_a_loss_of_two(loss: float | None, key: str | None) -> None:
    assert weather(loss) == (f"weather.{key}" if key else None)


def test_damage_is_one_over_loss_and_nothing_while_the_loss_is_unknown() -> None:
    facts = samples.facts()
    assert words([damage(facts, LOOK)]).split()[-1] == "3.8"
    assert damage(later(facts, loss=None), LOOK) == ()


@pytest.mark.parametrize("state", list(EngineState))
def test_every_state_has_a_room_told_in_two_lines(state: EngineState) -> None:
    for zone in ("recovery", "productive", "stretch", "overload", None):
        facts = later(samples.facts(), state=state, zone=zone)
        facts = replace(facts, hero=replace(facts.hero, region="reasoning_mountains"))
        for look in (Look(), Look(names="plain")):
            rows = room_rows(facts, look, 67, 2)
            assert entry(room_key(facts)).explained(look.names).split()[-1] in words(rows)
            assert all(width_of(row) <= 67 for row in rows)


def test_effects_in_force_are_named_with_the_steps_they_last_and_the_rest_is_counted() -> None:
    facts = samples.facts()
    assert "–" in words([effect_row(facts, LOOK, 40)])
    assert "none" in words([effect_row(replace(facts, hero=replace(facts.hero, effects=())), LOOK, 40)])
    many = (
        EffectLine("Confusion", "Repeated misses", "?", "warn", 480),
        EffectLine("Momentum", "Streak bonus", "^", "good", 90),
        EffectLine("Amnesia", "Forgetting", "~", "bad", None),
    )
    row = effect_row(replace(facts, hero=replace(facts.hero, effects=many)), LOOK, 40)
    assert "Confusion 480" in words([row]) and "+2" in words([row]) and width_of(row) <= 40


async def test_the_borders_shine_while_a_level_is_new() -> None:
    source = samples.FakeSource(samples.facts())
    app = samples.app(source=source)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        source.facts = won(samples.facts(), 3)
        app.refresh_facts()
        await settle(pilot)
        assert all(app._battle.query_one(kind).has_class("-won") for kind in (HeroPanel, SkillsPanel))
        assert [str(note.message) for note in app._notifications] == ["★ Level up: BIN 3"]
