"""``realm vram``: the plan, part by part, in words and for machines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len

from configs.loader import load_hero
from engine.memory.calibration import machine_key, measure, remember
from engine.memory.estimate import GIB
from realm_tui.cli.vram import bar
from realm_tui.runtime import vram as vram_module
from realm_tui.runtime.machine import Graphics
from tests.cli.conftest import Answer

Realm = Callable[..., Answer]


def test_flo_on_a_4090(realm: Realm, golden: Callable[[str, str], None]) -> None:
    answer = realm("vram", "--hero", "flo", "--card", "4090")
    golden("vram_flo_4090.txt", answer.out)
    assert all(cell_len(line) <= 80 for line in answer.out.splitlines())


@pytest.mark.parametrize("hero", ["pip", "dio", "omo", "dana", "miro", "ojas", "zara"])
@pytest.mark.parametrize("card", ["4070", "24", "80"])
def test_every_hero_fits_the_terminal_and_adds_up(realm: Realm, hero: str, card: str) -> None:
    told = realm("vram", "--hero", hero, "--card", card)
    assert all(cell_len(line) <= 80 for line in (told.out + told.err).splitlines())
    found = realm("vram", "--hero", hero, "--card", card, "--json").json
    sums = dict.fromkeys(("always", "forward", "update"), 0)
    for part in found["parts"]:
        if part["place"] == "card":
            sums[part["when"]] += part["bytes"]
    assert found["peak_bytes"] == sums["always"] + max(sums["forward"], sums["update"])
    assert found["worst_bytes"] >= found["peak_bytes"]
    fits = found["peak_bytes"] <= found["device"]["bytes"]
    assert (found["verdict"] == "too large") == (not fits)


def test_a_way_that_this_engine_cannot_go_is_called_so(realm: Realm) -> None:
    ways = {way["id"]: way for way in realm("vram", "--hero", "flo", "--card", "4090", "--json").json["ways"]}
    assert [way["runs"] for way in ways.values()] == [True, True, False]
    assert ways["paged"]["profile"] == "24gb_full_paged" and ways["paged"]["host_bytes"] > 6 * GIB
    assert ways["in-backward"]["profile"] is None
    assert all(way["cost"] for way in ways.values())


def test_what_if(realm: Realm) -> None:
    plain = realm("vram", "--hero", "flo", "--card", "4090", "--json").json
    asked = realm("vram", "--hero", "flo", "--card", "4090", "--method", "qlora", "--length", "1024", "--batch", "4")
    assert asked.code == 0
    found = realm("vram", "--hero", "flo", "--card", "4090", "--method", "qlora", "--batch", "1", "--json").json
    assert found["method"] == "qlora" and found["peak_bytes"] < plain["peak_bytes"]
    lens = realm("vram", "--hero", "flo", "--card", "80", "--method", "galore", "--json").json
    assert lens["optimizer"] == "galore_adamw_8bit"


@pytest.mark.parametrize(
    "args,words",
    [
        (("--card", "voodoo"), ("no card is called 'voodoo'", "4090", "--card 24")),
        (("--card", "h10o"), ("the nearest name is h100",)),
        (("--length", "100000"), ("reads 40960 tokens",)),
        (("--method", "lora", "--optimizer", "galore_adamw"), ("galore needs both",)),
    ],
)
def test_what_cannot_be_is_refused_with_the_way_out(
    realm: Realm, args: tuple[str, ...], words: tuple[str, ...]
) -> None:
    answer = realm("vram", "--hero", "flo", *args)
    assert answer.code in (1, 2) and all(word in answer.err for word in words)


def test_a_measured_peak_is_shown_and_corrects_the_plan(
    realm: Realm, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vram_module, "graphics", lambda: Graphics("Test Card", 24 * GIB))
    before = realm("vram", "--hero", "ojas")
    assert "on Test Card (24 GiB)" in before.out and "the first steps on this card will tell" in before.out
    training = load_hero("ojas").training
    remember(machine_key("Test Card", 24 * GIB), training, measure("ojas", 10 * GIB, 11 * GIB))
    after = realm("vram", "--hero", "ojas")
    assert "measured here   11.0 GiB, 10.0 were estimated: corrected by 1.10" in after.out
    assert realm("vram", "--hero", "ojas", "--json").json["correction"] == pytest.approx(1.1)
    assert "measured here" not in realm("vram", "--hero", "ojas", "--card", "4090").out


def test_without_a_card_the_memory_of_the_machine_is_meant(realm: Realm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vram_module, "graphics", lambda: None)
    assert "on this machine's CPU" in realm("vram").out


def test_bars_show_the_smallest_thing_and_know_ascii() -> None:
    assert bar(0.0) == "▏" and bar(1.0) == "█" * 16
    assert bar(0.5, ascii_only=True) == "#" * 8
