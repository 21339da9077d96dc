"""The map: where the hero is, which regions are open, and what the others ask."""

from __future__ import annotations

from collections.abc import Sequence

from realm_tui.app.drawing import Look, Row
from realm_tui.app.screens.list_page import ListPage
from realm_tui.app.widgets import realm_map
from realm_tui.app.widgets.lines import wrapped
from realm_tui.app.widgets.picker import Item
from realm_tui.runtime.game import GameReader
from realm_tui.runtime.map_view import MapView, map_view
from realm_tui.runtime.opened import OpenedSave


class MapScreen(ListPage[MapView]):
    """Regions from the summit down to the hearth."""

    word = "screen.map"
    keys = ()

    def __init__(self) -> None:
        super().__init__()
        self._games = GameReader()

    def read(self, save: OpenedSave) -> MapView:
        return map_view(save, self._games)

    def items(self, data: MapView, look: Look) -> Sequence[Item]:
        return realm_map.region_items(data, look)

    def heads(self, data: MapView, look: Look, width: int) -> Sequence[Row]:
        return [((f" {line}", "bad"),) for line in wrapped(data.complaint, width - 2)] if data.complaint else ()

    def heading(self, data: MapView, look: Look) -> str:
        return realm_map.name_of("region", data.world.here, data.rules.regions[data.world.here], look)

    def sheet(self, data: MapView, key: str | None, look: Look, width: int) -> Sequence[Row]:
        return realm_map.region_sheet(data, key, look, width)

    def sheet_title(self, data: MapView, key: str | None, look: Look) -> str:
        return realm_map.name_of("region", key, data.rules.regions[key], look) if key in data.rules.regions else ""
