"""The map: where the hero is, which regions are open, and what the others ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lore.world_rules import map_complaint
from lore.world_rules import named as name_of
from realm_tui.app.drawing import Look, Row
from realm_tui.app.screens.list_page import ListPage
from realm_tui.app.widgets import realm_map
from realm_tui.app.widgets.lines import wrapped
from realm_tui.app.widgets.listing import Item
from realm_tui.runtime.opened import OpenedSave
from realm_tui.runtime.world_view import MapView, map_view


@dataclass(frozen=True, slots=True)
class Chart:
    """The map with whose it is, and what is wrong with the player's own one."""

    map: MapView
    hero: str
    complaint: str = ""


class MapScreen(ListPage[Chart]):
    """Regions from the summit down to the hearth."""

    word = "screen.map"
    keys = ()

    def read(self, save: OpenedSave) -> Chart:
        wrong = map_complaint()
        return Chart(map_view(save, self.realm.games.read(save)), save.hero.name, "" if wrong is None else wrong.text())

    def items(self, data: Chart, look: Look) -> Sequence[Item]:
        return realm_map.region_items(data.map, data.hero, look)

    def heads(self, data: Chart, look: Look, width: int) -> Sequence[Row]:
        return [((f" {line}", "bad"),) for line in wrapped(data.complaint, width - 2)] if data.complaint else ()

    def first(self, data: Chart) -> str | None:
        return data.map.world.here

    def heading(self, data: Chart, look: Look) -> str:
        return name_of("region", data.map.world.here, look.names)

    def sheet(self, data: Chart, key: str | None, look: Look, width: int) -> Sequence[Row]:
        return realm_map.region_sheet(data.map, key, look, width)

    def sheet_title(self, data: Chart, key: str | None, look: Look) -> str:
        land = realm_map.land_of(data.map, key)
        return "" if land is None else land.name(look.names)
