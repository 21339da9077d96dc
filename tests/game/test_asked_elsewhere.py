"""A realm whose questions go to a worker process of its own: an exam on command and sparring, beside a living engine and without one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.game.world import EASY, Realm, until

RULES = {
    **EASY,
    "exams": {**EASY["exams"], "interval_steps": 100_000},
    "inn": {"inference": {"where": "inn", "exams": "wait"}, "lease": {"lease_s": 60}},
}
PLACES = {"facilities": {"arena": {"type": "battlefield", "base_path": "~/inn", "server": {"kind": "own"}}}}


@pytest.mark.engine
@pytest.mark.full
def test_an_exam_and_a_bout_are_answered_by_the_inn(tmp_path: Path) -> None:
    realm = Realm(tmp_path / "home", rules=RULES)
    places = realm.home / "config" / "facilities" / "local.yaml"
    places.parent.mkdir()
    PLACES["facilities"]["arena"]["base_path"] = str(tmp_path / "inn")
    places.write_text(yaml.safe_dump(PLACES))
    engine = realm.start("run", "--steps", "1000000")
    try:
        until(lambda: realm.folder.database.exists() and realm.trainer_pid(), "the engine")
        realm.wait_for_step(5)
        told = json.loads(realm.run("exam", "run", "--level", "2", "--items", "6", "--elsewhere", "--json"))
        assert told["waits"]["questions"] == 6
        ((asked,),) = until(lambda: realm.rows("SELECT digest FROM exam_requests"), "the questions")
        realm.run("job", "work", "--once")
        until(lambda: realm.one("SELECT count(*) FROM exams WHERE kind = 'asked'"), "the result")
        assert asked == realm.one("SELECT weights FROM exams WHERE kind = 'asked'")
        assert realm.one("SELECT worker FROM answers").startswith("arena/")
    finally:
        realm.stop()
        engine.communicate(timeout=60)
    try:
        bout = json.loads(realm.run("spar", "--form", "latest", "--rounds", "4", "--json"))
        assert bout["asked"] == 4 and bout["worker"].startswith("arena/")
        assert realm.one("SELECT count(*) FROM quests WHERE origin = 'sparring'") == (1 if bout["failed"] else 0)
    finally:
        realm.run("worker", "stop", "arena-own")
