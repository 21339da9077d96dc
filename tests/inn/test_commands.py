"""How servers are started: reachable by their user alone, drawing by nobody's rules but the question's."""

from __future__ import annotations

from typing import Any

import pytest

from configs.facilities import Facility
from configs.inn import WorkerRules
from configs.paths import SaveFolder
from realm_tui.runtime.inn.servers import commands
from realm_tui.runtime.inn.servers.commands import Held, Launch
from realm_tui.runtime.inn.servers.contract import served_name

WHOLE = Held("a" * 64, "/store/ckpt/" + "a" * 64)
ADAPTER = Held("b" * 64, "/store/ckpt/" + "b" * 64, "a" * 64, "/store/ckpt/" + "a" * 64)
RULES = WorkerRules.model_validate({})


def inn(**server: Any) -> Facility:
    return Facility.model_validate(
        {"type": "hub", "base_path": "/realm", "resources": [{"id": "gpu0", "type": "gpu"}], "server": server}
    )


def launches(tmp_path: Any) -> dict[str, Launch]:
    place = inn(kind="vllm", arguments=["--enforce-eager"], environment={"OMP_NUM_THREADS": "4"})
    server = place.server
    assert server is not None
    return {
        "own": commands.own("python", server, RULES, "/store", SaveFolder(tmp_path)),
        "vllm": commands.vllm("python", place, server, WHOLE),
        "adapter": commands.vllm("python", place, server, ADAPTER),
        "sglang": commands.sglang("python", place, server, WHOLE, 30123),
    }


def test_no_server_opens_a_port_to_the_network(tmp_path: Any) -> None:
    for kind, launch in launches(tmp_path).items():
        assert not {"0.0.0.0", "::"} & set(launch.argv)
        if kind == "sglang":
            assert launch.argv[launch.argv.index("--host") + 1] == "127.0.0.1"
            assert launch.address == "127.0.0.1:30123"
        else:
            assert "{socket}" in launch.argv
            assert not {"--host", "--port"} & set(launch.argv)
            assert launch.address == ""


def test_the_folders_own_sampling_rules_are_never_the_defaults(tmp_path: Any) -> None:
    found = launches(tmp_path)
    for kind in ("vllm", "adapter"):
        argv = found[kind].argv
        assert argv[argv.index("--generation-config") + 1] == "vllm"
    argv = found["sglang"].argv
    assert argv[argv.index("--sampling-defaults") + 1] == "openai"


def test_a_server_is_started_under_the_digest_of_its_whole_weights(tmp_path: Any) -> None:
    found = launches(tmp_path)
    for kind in ("vllm", "adapter", "sglang"):
        argv = found[kind].argv
        assert argv[argv.index("--served-model-name") + 1] == served_name("a" * 64)
    argv = found["adapter"].argv
    assert argv[argv.index("--model") + 1] == ADAPTER.base_directory
    # The adapter speaks with its own tokenizer and template, not with those of its base.
    assert argv[argv.index("--tokenizer") + 1] == ADAPTER.directory
    assert found["adapter"].env["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "1"
    assert "--enable-lora" not in found["vllm"].argv


def test_what_the_place_says_comes_last_and_wins(tmp_path: Any) -> None:
    for launch in launches(tmp_path).values():
        assert launch.argv[-1] == "--enforce-eager"
        assert launch.env["OMP_NUM_THREADS"] == "4"


def test_only_a_place_with_a_card_lets_its_server_sleep() -> None:
    bare = Facility.model_validate({"type": "hub", "base_path": "/realm", "server": {"kind": "vllm"}})
    assert bare.server is not None
    assert "--enable-sleep-mode" not in commands.vllm("python", bare, bare.server, WHOLE).argv
    assert "--enable-memory-saver" not in commands.sglang("python", bare, bare.server, WHOLE, 1).argv


@pytest.mark.parametrize(("local", "same"), [(True, False), (False, True)])
def test_saves_share_the_workers_of_other_machines_and_have_their_own_here(
    tmp_path: Any, local: bool, same: bool
) -> None:
    names = {
        commands.supervised_name("inn", "own", SaveFolder(tmp_path / save), local=local) for save in ("main", "second")
    }
    assert (len(names) == 1) == same
