"""Adding a machine asks about its key once, writes it down, and never takes another machine for it."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from benchmarks.sshd import Sshd
from configs.errors import BlockedError, RealmError, UsageError
from configs.facilities import load_facilities
from realm_tui.cli.main import app
from realm_tui.runtime.inn import hosts, pins
from realm_tui.runtime.inn.box import LocalBox


def realm(*args: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, list(args), input=given)


def said(result: Result) -> dict[str, str]:
    """The error a command ended with."""
    found: dict[str, str] = json.loads(result.stderr.strip().splitlines()[-1])["error"]
    return found


def add(sshd: Sshd, *more: str, given: str | None = None) -> Result:
    args = ("--port", str(sshd.port), "--key", str(sshd.key), "--no-agent", "--base-path", str(sshd.folder / "realm"))
    return realm("host", "add", "box", "127.0.0.1", *args, *more, given=given)


def fingerprint(sshd: Sshd) -> str:
    """What ``ssh-keygen -l`` says of the server's key."""
    line = subprocess.run(
        ["ssh-keygen", "-lf", sshd.folder / "host_key.pub"], capture_output=True, text=True, check=True
    )
    return line.stdout.split()[1]


def test_a_machine_is_added_only_with_its_key_confirmed(sshd: Sshd, home: Path) -> None:
    refused = add(sshd, "--json")
    assert refused.exit_code == 3
    assert said(refused)["code"] == "HOST_KEY_UNKNOWN" and fingerprint(sshd) in said(refused)["fix"]
    assert said(add(sshd, "--json", "--fingerprint", "SHA256:other"))["code"] == "HOST_KEY_CHANGED"
    assert load_facilities().hosts == {} and not pins.pins_file().exists()
    assert add(sshd, "--fingerprint", fingerprint(sshd)).exit_code == 0
    place = load_facilities().facility("box")
    assert place.host == "box" and place.type == "hub" and place.server is not None and place.server.kind == "own"
    assert [pin.fingerprint for pin in pins.pins_of("box")] == [fingerprint(sshd)]
    assert "PRIVATE" not in "".join(p.read_text("utf-8") for p in home.rglob("*") if p.is_file())


def test_a_person_is_asked_once_and_no_is_no(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realm_tui.cli.host._somebody", lambda: True)
    refused = add(sshd, given="n\n")
    assert refused.exit_code == 1 and fingerprint(sshd) in refused.stderr
    assert load_facilities().hosts == {} and pins.pins_of("box") == []
    assert add(sshd, given="y\n").exit_code == 0
    assert [pin.fingerprint for pin in pins.pins_of("box")] == [fingerprint(sshd)]
    assert "right machine" not in realm("host", "test", "box").stderr


def test_what_a_machine_is_can_be_seen_and_is_remembered(sshd: Sshd) -> None:
    add(sshd, "--fingerprint", fingerprint(sshd))
    told = json.loads(realm("host", "test", "box", "--json").stdout)
    assert told["state"] == "online" and told["disk_free_bytes"] > 0 and abs(told["skew_s"]) < 5
    assert "GB free" in realm("host", "test", "box").stdout
    (line,) = json.loads(realm("host", "list", "--json").stdout)
    assert (line["id"], line["state"], line["places"]) == ("box", "online", ["box"])
    assert "online" in realm("host", "list").stdout
    sshd.stop()
    assert said(realm("host", "test", "box", "--json"))["code"] == "HOST_UNREACHABLE"
    (line,) = json.loads(realm("host", "list", "--json").stdout)
    assert line["state"] == "no_route" and line["seen_at"] is not None


def test_a_changed_key_is_taken_only_when_asked_for(sshd: Sshd) -> None:
    add(sshd, "--fingerprint", fingerprint(sshd))
    old = fingerprint(sshd)
    sshd.stop()
    sshd.new_host_key()
    sshd.start()
    refused = said(realm("host", "test", "box", "--json"))
    assert refused["code"] == "HOST_KEY_CHANGED" and old in refused["why"]
    assert realm("host", "test", "box", "--new-key", "--fingerprint", old).exit_code == 3
    assert realm("host", "test", "box", "--new-key", "--fingerprint", fingerprint(sshd)).exit_code == 0


def test_a_machine_is_forgotten_with_its_places_and_its_key(sshd: Sshd) -> None:
    file = hosts.own_file()
    file.parent.mkdir(parents=True)
    file.write_text("# mine\nfacilities:\n  attic: {type: archive, base_path: ~/attic}  # keep\n", "utf-8")
    add(sshd, "--fingerprint", fingerprint(sshd))
    assert json.loads(realm("host", "remove", "box", "--json").stdout) == {
        "host": "box",
        "places": ["box"],
        "wiped": False,
    }
    assert "# mine" in file.read_text("utf-8") and "# keep" in file.read_text("utf-8")
    assert set(load_facilities().facilities) == {"arena", "attic"} and pins.pins_of("box") == []


def test_what_a_place_lacks_is_said_before_anything_is_done_and_a_wipe_leaves_nothing(sshd: Sshd) -> None:
    add(sshd, "--serve", "vllm", "--fingerprint", fingerprint(sshd))
    steps = {step["id"]: step for step in json.loads(realm("host", "setup", "box", "--json").stdout)["steps"]}
    assert steps["folders"]["state"] == "needed" and steps["packages"]["detail"].startswith("pip install vllm")
    inn = sshd.folder / "realm" / "inn"
    assert (inn / "bin").is_dir() and not (inn / "run").exists()
    assert realm("host", "remove", "box", "--wipe").exit_code == 0
    assert not inn.exists() and load_facilities().hosts == {}


def test_ids_that_are_taken_or_unknown_are_said(sshd: Sshd) -> None:
    add(sshd, "--fingerprint", fingerprint(sshd))
    assert said(add(sshd, "--json", "--fingerprint", fingerprint(sshd)))["code"] == "HOST_EXISTS"
    assert said(realm("host", "test", "bix", "--json"))["code"] == "UNKNOWN_HOST"
    with pytest.raises(UsageError):
        hosts.open_box("nowhere")
    hosts.own_file().write_text(hosts.own_file().read_text("utf-8") + "\n", "utf-8")
    file = hosts.own_file().with_name("more.yaml")
    file.write_text("facilities: {inn: {type: hub, host: box, base_path: ~/inn, available: false}}", "utf-8")
    with pytest.raises(BlockedError) as error:
        hosts.open_box("inn")
    assert error.value.code == "FACILITY_CLOSED"
    with pytest.raises(BlockedError) as error:
        hosts.remove_host("box")
    assert error.value.code == "EDIT_BY_HAND"


def test_this_machine_is_a_place_of_its_own(home: Path) -> None:
    box = hosts.open_box("arena")
    assert isinstance(box, LocalBox) and box.base == home


@pytest.mark.parametrize("line", ["box ssh-ed25519 notbase64!", "box", "box ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIA=="])
def test_a_damaged_line_of_confirmed_keys_trusts_nobody(line: str) -> None:
    pins.pins_file().parent.mkdir(parents=True)
    pins.pins_file().write_text(f"# keys\n{line}\n", "utf-8")
    with pytest.raises(RealmError) as error:
        pins.pins_of("other")
    assert error.value.code == "PINS_DAMAGED" and "line 2" in error.value.what


def test_confirmed_keys_are_kept_in_private(sshd: Sshd) -> None:
    pins.confirm("a", pins.parse(sshd.public_host_key))
    pins.confirm("b", pins.parse(sshd.public_host_key))
    assert pins.forget("a") and not pins.forget("a")
    assert [pin.line for pin in pins.pins_of("b")] == [sshd.public_host_key]
    assert stat.S_IMODE(pins.pins_file().parent.stat().st_mode) & 0o077 == 0
