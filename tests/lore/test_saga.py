"""The saga tells what is worth telling; the battle log tells everything, by channel and by how loud it is."""

from __future__ import annotations

import pytest

from lore import lexicon
from lore.deeds import of_happening
from lore.event import Event
from lore.events import Chapter, events
from lore.fold import Happening
from lore.narrator import templates
from lore.saga import ALERTS, CHANNELS, battle_log, line, manners, matching, saga
from tests.lore import rows
from tests.lore.test_narrator import EXAMS, PAGES, STORY, TOLD


def test_every_event_has_a_manner_and_every_change_of_it_a_template() -> None:
    kinds = {kind for kind in templates() if not kind.startswith(PAGES)}
    assert set(manners()) == kinds
    assert [(k, v) for k, manner in manners().items() for v in manner.variants if v not in templates()[k]] == []


def test_channels_and_alerts_have_words() -> None:
    keys = [*(f"log.channel.{c}" for c in CHANNELS), *(f"alert.{a}" for a in ALERTS)]
    assert [key for key in keys if key not in lexicon.entries()] == []


def test_the_saga_leaves_the_daily_round_out() -> None:
    told, everything = saga(TOLD, "PIP"), battle_log(TOLD, "PIP")
    assert len(everything) == len(TOLD)
    assert {"checkpoint.saved", "training.paused", "skill.held"} & {one.event.type for one in told} == set()
    assert {one.tale.plain for one in everything} >= {one.tale.plain for one in told}
    gates = [one for one in told if one.event.type == "exam.taken"]
    assert [one.event.data["passed"] for one in gates] == [True]


@pytest.mark.parametrize(
    ("severity", "blocks", "alert"),
    [("low", False, "notice"), ("medium", False, "warning"), ("high", False, "alarm"), ("low", True, "crisis")],
)
def test_an_incident_is_as_loud_as_it_is_grave(severity: str, blocks: bool, alert: str) -> None:
    (event,) = events(Chapter(incidents=[rows.incident(1, 5, severity, blocks=blocks)]), EXAMS)
    assert (line(event, "PIP").alert, line(event, "PIP").channel) == (alert, "system")


def test_an_affliction_is_louder_than_a_boon() -> None:
    def alert(**data: object) -> str:
        return line(of_happening(Happening("hero.effect_applied", 1, 0.0, "exams:1", data)), "PIP").alert

    assert alert(effect="staggered", severity="low") == "warning"
    assert alert(effect="repetition", severity="high") == "alarm"
    assert alert(effect="momentum", severity="low", buff=True) == "whisper"


def test_search_reads_both_voices() -> None:
    everything = battle_log(events(STORY, EXAMS), "PIP")
    assert [x.event.type for x in matching(everything, "margin")] == ["campaign.noted"]
    assert [x.event.type for x in matching(everything, "NOTE: IT RAINED")] == ["campaign.noted"]
    assert matching(everything, "no such words") == []


def test_a_line_is_json_with_both_sentences() -> None:
    found = line(Event("training.resumed", 5.0, "journal:2", 1, 7, {"verb": "resume"}), "PIP").as_dict()
    assert found["plain"] != found["tavern"] and found["channel"] == "training" and found["step"] == 7
