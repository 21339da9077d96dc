"""``realm host``: the machines that work for the hero, their keys, and what they need."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from realm_tui.cli.output import JsonOption, data, say, table

if TYPE_CHECKING:
    from configs.facilities import Host
    from realm_tui.runtime.inn.box import Box
    from realm_tui.runtime.inn.hosts import BoxFacts
    from realm_tui.runtime.inn.pins import Pin

app = typer.Typer(help="The machines that work for the hero.", no_args_is_help=True, rich_markup_mode=None)
T = TypeVar("T")

HostArgument = Annotated[str, typer.Argument(metavar="HOST", help="A machine, see `realm host list`.")]
FingerprintOption = Annotated[
    str | None,
    typer.Option("--fingerprint", metavar="SHA256:…", help="Confirm its key only if this is its fingerprint."),
]


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="HOST", help="What to call the machine.")],
    address: Annotated[str, typer.Argument(help="Its name or address; with --ssh-config an alias of yours.")],
    port: Annotated[int, typer.Option("--port", min=1, max=65_535, help="Its SSH port.")] = 22,
    user: Annotated[str, typer.Option("--user", help="The user there [default: your name here].")] = "",
    keys: Annotated[
        list[str] | None, typer.Option("--key", help="A private key file; several times for several.")
    ] = None,
    agent: Annotated[bool, typer.Option("--agent/--no-agent", help="Ask the SSH agent for keys.")] = True,
    ssh_config: Annotated[bool, typer.Option("--ssh-config", help="Read your own SSH configuration for it.")] = False,
    place: Annotated[
        str | None, typer.Option("--place", help="The place that stands on it [default: its name].")
    ] = None,
    kind: Annotated[str, typer.Option("--type", help="hub, outpost, laboratory or archive.")] = "hub",
    base_path: Annotated[str, typer.Option("--base-path", help="The realm's folder there.")] = "~/realm",
    serve: Annotated[str, typer.Option("--serve", help="Its inference server: own, vllm, sglang or none.")] = "own",
    fingerprint: FingerprintOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a machine: look at its key, ask once whether it is the right one, and write it down."""
    from configs.facilities import Facilities, Facility
    from configs.loader import load_game
    from configs.reading import parse
    from realm_tui.runtime.inn import hosts
    from realm_tui.runtime.inn.dialling import offered_key

    hosts.check_new(name)
    asked = {
        "address": address,
        "port": port,
        "user": user,
        "keys": keys or [],
        "agent": agent,
        "ssh_config": ssh_config,
    }
    body: dict[str, Any] = {"type": kind, "host": name, "base_path": base_path}
    body |= {} if serve == "none" else {"server": {"kind": serve}}
    wanted = parse(Facilities, {"hosts": {name: asked}, "facilities": {place or name: body}}, f"host {name}")
    host: Host = wanted.hosts[name]
    found: Facility = wanted.facilities[place or name]
    pin = _waited(offered_key(name, host, load_game().inn))
    _confirmed(name, host, pin, fingerprint, as_json=as_json)
    server = found.server.kind if found.server is not None else None
    file = hosts.write_host(name, host, place=place or name, kind=found.type, base_path=base_path, server=server)
    hosts.trust(name, pin)
    if as_json:
        data({"host": name, "place": place or name, "fingerprint": pin.fingerprint, "file": str(file)})
        return
    say(f"{name} stands in {file}; `realm host test {name}` tries it, `realm host setup {place or name}` prepares it")


@app.command("list")
def list_hosts(as_json: JsonOption = False) -> None:
    """List the machines and how they were found last. Nothing is asked over the network."""
    from realm_tui.runtime.foreign import clean
    from realm_tui.runtime.inn.hosts import hosts

    found = hosts()
    if as_json:
        data([one.as_dict() for one in found])
        return
    if not found:
        say("no other machine works for the hero; `realm host add NAME ADDRESS` adds one")
        return
    table(
        ("HOST", "ADDRESS", "USER", "PLACES", "STATE", "SEEN", "ROUND TRIP", "KEY"),
        [
            (
                one.id,
                clean(one.address) + (f":{one.port}" if one.port != 22 else ""),
                clean(one.user),
                ", ".join(one.places) or "–",
                (one.state or "–").replace("_", " "),
                _ago(one.seen_at),
                _ms(one.rtt_s),
                one.fingerprint or "not confirmed",
            )
            for one in found
        ],
        right=(6,),
    )


@app.command()
def test(
    name: HostArgument,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Its key changed for a reason you know: ask about the new one.")
    ] = False,
    fingerprint: FingerprintOption = None,
    as_json: JsonOption = False,
) -> None:
    """Reach a machine and say what it is; asks about its key where that was never confirmed."""
    from configs.facilities import load_facilities
    from configs.loader import load_game
    from realm_tui.runtime.inn import hosts, pins
    from realm_tui.runtime.inn.dialling import offered_key

    known = load_facilities()
    host = known.host(name)
    before = pins.pins_of(name)
    if new_key or not before:
        pin = _waited(offered_key(name, host, load_game().inn))
        if pin in before:
            say(f"{name} shows the key that was confirmed before")
        else:
            _confirmed(name, host, pin, fingerprint, as_json=as_json, old=before)
            hosts.trust(name, pin)
    facts = _waited(_looked(hosts.host_box(name, facilities=known)))
    rules = load_game().inn.link
    if as_json:
        data({"host": name, "state": "online", **facts.as_dict()})
        return
    for label, text in _told(facts, rules.clock_skew_s, rules.muddy_ms):
        typer.echo(f"{label:<11} {text}")


@app.command()
def setup(
    name: Annotated[str, typer.Argument(metavar="HOST", help="A machine with one place, or a place.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a place ready to serve, step by step; what is done already is left as it is."""
    from configs.facilities import load_facilities
    from realm_tui.runtime.inn.hosts import open_box, place_on
    from realm_tui.runtime.inn.setup import carry_out, plan

    known = load_facilities()
    place = place_on(name, known)
    facility = known.facility(place)
    steps = _waited(_closing(open_box(place, facilities=known), lambda box: plan(box, facility)))
    open_steps = [step for step in steps if step.state != "done"]
    if not as_json:
        for step in steps:
            typer.echo(f"{step.state:<8} {step.text}: {step.detail}" + (f" → {step.fix}" if step.fix else ""))
    may_do = bool(open_steps) and not dry_run and (yes or (not as_json and _somebody()))
    if may_do and not yes:
        may_do = typer.confirm("Do what is needed?", err=True)
    if may_do:
        steps = _waited(_closing(open_box(place, facilities=known), lambda box: carry_out(box, facility, say)))
    if as_json:
        data({"place": place, "steps": [step.as_dict() for step in steps]})
    elif not open_steps or may_do:
        say(f"{place} is ready")
    elif not dry_run:
        say("nothing was changed; --yes does it")


@app.command()
def remove(
    name: HostArgument,
    wipe: Annotated[bool, typer.Option("--wipe", help="Remove the Inn's folders there first.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Forget a machine, the places on it and its key; without --wipe nothing is touched there."""
    from configs.facilities import load_facilities
    from realm_tui.runtime.inn import hosts
    from realm_tui.runtime.inn.setup import remove_all

    known = load_facilities()
    known.host(name)
    hosts.check_removable(name)
    for place in hosts.places_on(name, known) if wipe else ():
        _waited(_closing(hosts.open_box(place, facilities=known), remove_all))
    places = hosts.remove_host(name)
    if as_json:
        data({"host": name, "places": list(places), "wiped": wipe})
        return
    there = "the Inn's folders there are gone" if wipe else "what lies there stays there"
    say(f"{name} is forgotten{', and with it ' + ', '.join(places) if places else ''}; {there}")


def _somebody() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty()


async def _closing(box: Box, doing: Callable[[Box], Coroutine[Any, Any, T]]) -> T:
    try:
        return await doing(box)
    finally:
        await box.close()


async def _looked(box: Box) -> BoxFacts:
    from configs.errors import RealmError
    from realm_tui.runtime.inn import hosts

    try:
        return await hosts.look(box)
    except RealmError:
        hosts.remembered(box.state, getattr(box, "host_id", box.id))
        raise
    finally:
        await box.close()


def _confirmed(
    name: str, host: Host, pin: Pin, fingerprint: str | None, *, as_json: bool, old: list[Pin] | None = None
) -> None:
    """Ask once whether the key is the machine's; an error unless it is."""
    from configs.errors import BlockedError
    from realm_tui.runtime.foreign import clean
    from realm_tui.runtime.inn.dialling import known_to_ssh

    shown = f"{name} ({clean(host.address)}) shows the {pin.kind} key {pin.fingerprint}"
    if fingerprint is not None:
        if fingerprint != pin.fingerprint:
            raise BlockedError(
                f"{name} shows another key than you expect",
                why=f"its fingerprint is {pin.fingerprint}",
                fix="find out which machine answers there before anything else",
                code="HOST_KEY_CHANGED",
            )
        return
    if as_json or not _somebody():
        raise BlockedError(
            shown,
            why="nobody confirmed it yet",
            fix=f"compare it on the machine itself, then repeat with --fingerprint {pin.fingerprint}",
            code="HOST_KEY_UNKNOWN",
        )
    say(shown)
    for one in old or ():
        say(f"confirmed before was {one.fingerprint}")
    if known_to_ssh(host, pin):
        say("your own ~/.ssh/known_hosts has this key for it")
    say("compare it on the machine: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
    typer.confirm("Is this the right machine?", abort=True, err=True)


def _told(facts: BoxFacts, most_skew_s: float, muddy_ms: float) -> list[tuple[str, str]]:
    from realm_tui.runtime.foreign import clean

    slow = "muddy: " if facts.rtt_s * 1000 > muddy_ms else ""
    skew = f"{facts.skew_s:+.1f} s" + (
        ", out of step (nothing here depends on it)" if abs(facts.skew_s) > most_skew_s else ""
    )
    memory = "–" if facts.memory_bytes is None else f"{facts.memory_bytes / 2**30:.0f} GiB memory"
    lines = [
        ("reached as", f"{clean(facts.user)}, {slow}{_ms(facts.rtt_s)} a round trip"),
        ("machine", f"{facts.system} {facts.machine}, {facts.cpus or '–'} processors, {memory}"),
        ("disk", f"{facts.disk_free_bytes / 1e9:.0f} of {facts.disk_bytes / 1e9:.0f} GB free"),
        ("clock", skew),
        ("python", clean(facts.python)),
    ]
    if facts.cards is None:
        lines.append(("card", "none that a driver answers for"))
    for card in facts.cards or ():
        held = f"{(card['memory_mb'] or 0) / 1024:.0f} GiB, {(card['used_mb'] or 0) / 1024:.1f} in use, driver {card['driver']}"
        lines.append(("card", clean(f"{card['name']}, {held}")))
    return lines


def _waited(doing: Coroutine[Any, Any, T]) -> T:
    import asyncio

    return asyncio.run(doing)


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1000:.0f} ms"


def _ago(at: float | None) -> str:
    from configs.clock import now
    from lore.figures import duration

    return "never" if at is None else f"{duration(max(0.0, now() - at))} ago"
