"""`realm worker`: a person starts, meets, looks at and ends the servers of the hero's forms."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
import yaml
from starlette.types import ASGIApp

from tests.cli.conftest import Answer
from tests.inn.conftest import end_all
from tests.inn.fake_others import FakePlain

Realm = Callable[..., Answer]


@contextmanager
def serving(app: ASGIApp, socket: str) -> Iterator[None]:
    """Serve beside the test, which runs commands."""
    server = uvicorn.Server(uvicorn.Config(app, uds=socket, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = server.force_exit = True
        thread.join()


@pytest.fixture
def study(home: Path) -> Iterator[str]:
    """A place with somebody's endpoint; the path of its socket."""
    with tempfile.TemporaryDirectory(prefix="realm-") as folder:
        body = {"type": "laboratory", "base_path": folder, "server": {"kind": "openai", "endpoint": f"{folder}/s"}}
        file = home / "config" / "facilities" / "local.yaml"
        file.parent.mkdir(parents=True)
        file.write_text(yaml.safe_dump({"facilities": {"study": body}}))
        yield f"{folder}/s"


def test_without_any_server_it_says_how_to_get_one(realm: Realm, fresh: object) -> None:
    answer = realm("worker", "list")
    assert (answer.code, answer.out) == (0, "") and "realm worker start" in answer.err
    assert realm("worker", "list", "--json").json == []


def test_what_does_not_exist_is_refused_by_name(realm: Realm, fresh: object) -> None:
    refused = realm("worker", "start", "nowhere", "--json")
    assert refused.code == 2 and '"UNKNOWN_FACILITY"' in refused.err
    refused = realm("worker", "stop", "nobody", "--json")
    assert refused.code == 2 and '"UNKNOWN_WORKER"' in refused.err


def test_somebody_elses_endpoint_is_marked_and_only_forgotten(realm: Realm, fresh: object, study: str) -> None:
    refused = realm("worker", "adopt", "study", "--json")
    assert refused.code == 1 and '"NOT_ADOPTED"' in refused.err
    with serving(FakePlain().app, study):
        taken = realm("worker", "adopt", "study")
        assert taken.code == 0 and "never count as exams" in taken.out
        (listed,) = realm("worker", "list", "--json").json
        assert (listed["name"], listed["state"], listed["strict"]) == ("study-openai", "up", False)
        assert "openai (not strict)" in realm("worker", "list").out
        refused = realm("worker", "logs", "study-openai", "--json")
        assert refused.code == 3 and '"NOT_OURS"' in refused.err
    (listed,) = realm("worker", "list", "--json").json
    assert listed["state"] == "gone"
    assert "runs on" in realm("worker", "stop", "study-openai").err
    assert realm("worker", "list", "--json").json == []


@pytest.mark.engine
def test_the_own_worker_is_started_once_met_again_and_ended(realm: Realm, fresh: object, home: Path) -> None:
    try:
        started = realm("worker", "start", "arena", "--json")
        assert started.code == 0, started.err
        again = realm("worker", "start", "arena", "--json").json
        assert started.json["state"] == again["state"] == "up"
        assert started.json["pid"] == again["pid"]
        assert realm("worker", "logs", "arena-own", "--json").code == 0
        assert realm("worker", "stop", "arena-own").code == 0
        (listed,) = realm("worker", "list", "--json").json
        assert (listed["state"], listed["pid"]) == ("stopped", None)
    finally:
        end_all(home / "inn")
