"""An exam asked outside, answered by the realm's own worker in a process of its own: from the request to the row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from configs.facilities import Facilities
from configs.jobs import JobRules, load_jobs
from configs.paths import SaveFolder, config_dir
from engine.hero.model import save_folder
from realm_tui.runtime.jobs.desk import InnDesk
from realm_tui.runtime.jobs.dispatcher import Dispatcher
from realm_tui.runtime.jobs.work.courier import collect
from saves import answers, jobs, ledger
from saves.connection import SaveConnection
from tests.inn.conftest import end_all
from tests.jobs.test_courier import posted
from tests.model.heroes import hatchling, unsettle
from tests.saves import facts


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Facilities]:
    """This machine alone, with the own worker."""
    arena = {"type": "battlefield", "base_path": str(tmp_path / "arena"), "server": {"kind": "own"}}
    yield Facilities.model_validate({"facilities": {"arena": arena}})
    end_all(tmp_path / "arena" / "inn")


@pytest.mark.full
@pytest.mark.engine
async def test_the_own_worker_answers_what_the_engine_asked(
    folder: SaveFolder, save: SaveConnection, places: Facilities
) -> None:
    config_dir().mkdir(parents=True, exist_ok=True)
    (config_dir() / "game.yaml").write_text("inn:\n  inference: {where: inn}\n", encoding="utf-8")
    hero = hatchling()
    unsettle(hero, 1)
    made = facts.real_form(folder, save, facts.begin(save), 100, lambda path: save_folder(hero, hero.weights(), path))
    asked = posted(save, made)
    told = load_jobs().model_dump() | {"poll_s": 0.05}
    desk = InnDesk(folder, facilities=places)
    dispatcher = Dispatcher(folder, rules=JobRules.model_validate(told), desk=desk, courier=collect)
    assert await dispatcher.run(until_idle=True) == 1
    found, done = answers.answers_to(save, asked.id), jobs.jobs(save)[0]
    assert done.status == "completed" and done.worker == "arena/arena-own", done.error
    assert found is not None and found.digest == ledger.checkpoint(save, made.id).digest and len(found.texts) == 2
