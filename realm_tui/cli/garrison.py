"""``realm garrison``: every place of the realm as it was found last, looking now, and sweeping up."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from realm_tui.cli.output import JsonOption, SaveOption, data, say, table

app = typer.Typer(
    help="The Garrison: state of every place, alarms, a look now, and the Groundskeeper's sweep.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def status(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Say how every place was found last, and what is wrong."""
    from configs.paths import SaveFolder

    _tell(SaveFolder.named(save), as_json=as_json)


@app.command()
def look(save: SaveOption = None, as_json: JsonOption = False) -> None:
    """Look at every place now; exit code 1 where something is critical or cannot be reached."""
    import asyncio

    from configs.loader import load_game
    from configs.paths import SaveFolder
    from realm_tui.runtime.garrison import patrol
    from realm_tui.runtime.house import every_box
    from realm_tui.runtime.opened import opened
    from saves.patrols import only

    folder = SaveFolder.named(save)
    with opened(folder):
        pass

    async def go() -> dict[str, str]:
        boxes = every_box()
        with opened(folder, write=True) as found:
            only(found.conn, boxes)
        try:
            return await patrol(folder, boxes, load_game().garrison)
        finally:
            for box in boxes.values():
                await box.close()

    states = asyncio.run(go())
    _tell(folder, as_json=as_json)
    if {"critical", "offline"} & set(states.values()):
        raise typer.Exit(1)


@app.command()
def sweep(
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let go of old logs, papers, leftovers, files of done quests; facts and forms are never among them."""
    from configs.loader import load_game
    from configs.paths import SaveFolder
    from realm_tui.runtime.figures import size
    from realm_tui.runtime.groundskeeper import sweep as swept

    found = swept(SaveFolder.named(save), load_game().garrison.grounds, dry=dry)
    if as_json:
        data(
            {
                "dry_run": dry,
                "swept": [
                    {"what": s.what, "rule": s.rule, "count": s.count, "bytes": s.bytes, "problem": s.problem or None}
                    for s in found
                ],
            }
        )
        return
    table(
        ("WHAT", "RULE", "WOULD GO" if dry else "WENT", "SIZE", ""),
        [(s.what, s.rule, f"{s.count:,}", size(s.bytes) if s.bytes else "–", s.problem) for s in found],
        right=(2, 3),
    )


def _tell(folder: Any, *, as_json: bool) -> None:
    from configs import clock
    from realm_tui.runtime.figures import size
    from realm_tui.runtime.foreign import clean
    from realm_tui.runtime.opened import opened
    from saves.patrols import newest_patrols, open_alerts

    with opened(folder) as found:
        seen, wrong = newest_patrols(found.conn), open_alerts(found.conn)
    if as_json:
        data(
            {
                "places": {p.box: {"status": p.status, "at": p.at, **p.facts} for p in seen.values()},
                "alerts": [
                    {"box": a.box, "rule": a.rule, "severity": a.severity, "title": a.title, "why": a.why, "fix": a.fix}
                    | {"count": a.count, "at": a.at, "last_at": a.last_at}
                    for a in wrong
                ],
            }
        )
        return
    if not seen:
        say("nobody has looked yet: `realm garrison look`, or keep the game or `realm watch` running")
        return
    now = clock.now()

    def free(facts: Any) -> str:
        return f"{size(facts['disk_free'])} of {size(facts['disk'])}" if facts.get("disk") else "–"

    table(
        ("PLACE", "STATE", "ROAD", "RTT", "DISK FREE", "FORMS", "LOOKED"),
        [
            (
                p.box,
                p.status,
                str(p.facts.get("road") or "–"),
                f"{p.facts['rtt_s'] * 1000:.1f} ms" if p.facts.get("rtt_s") is not None else "–",
                free(p.facts),
                "–" if p.facts.get("forms") is None else f"{p.facts['forms']}",
                f"{now - p.at:,.0f} s ago",
            )
            for p in seen.values()
        ],
        right=(3, 4, 5, 6),
    )
    for alert in wrong:
        say(f"{alert.severity}: {clean(alert.title)}. {clean(alert.why)}")
        if alert.fix:
            say(f"  fix: {clean(alert.fix)}.")
