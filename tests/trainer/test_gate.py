"""The champion gate over exams that a real engine held."""

from __future__ import annotations

from collections.abc import Callable

from engine.link.protocol import Verb
from realm_tui.runtime.gate_view import gate_view
from realm_tui.runtime.opened import opened
from tests.trainer.conftest import Script, World, command

MakeWorld = Callable[..., World]


def test_what_an_engine_asked_of_two_forms_is_what_the_gate_shows(make_world: MakeWorld) -> None:
    world = make_world()
    crown, save = command(Verb.PROMOTE), command(Verb.CHECKPOINT)
    world.train(21, [(20, crown), (21, save)])
    with opened(world.folder) as found:
        seen = gate_view(found)
        assert seen.champion is not None and seen.challenger is not None and seen.verdict == "unasked"
        champion, challenger = seen.champion.name, seen.challenger.name
    ask = command(Verb.EXAM, skill="bin", items=24, form=challenger, against=champion)
    game = world.train(22, [(21, ask)])
    assert isinstance(game.channel, Script)
    told = game.channel.answers[ask.id][1]["whole"]
    with opened(world.folder) as found:
        seen = gate_view(found, challenger)
    assert seen.whole.as_dict(seen.alpha) == told and seen.whole.items == 24
    assert seen.cost.asked == 48 and seen.cost.seconds > 0 and seen.cost.of(64) is not None
    assert len(seen.discordant) == seen.whole.better + seen.whole.worse
