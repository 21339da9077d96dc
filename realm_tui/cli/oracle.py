"""``realm oracle``: ask a form that was kept, talk with it, compare two, read and export what was said."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from realm_tui.cli.output import JsonOption, SaveOption, data, line, say

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from configs.errors import RealmError
    from configs.paths import SaveFolder
    from realm_tui.runtime.inn.oracle import Reach, Wish
    from saves.oracle import Turn

app = typer.Typer(
    help="Talk with a form of the hero that was kept: here, or at another place.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

FormOption = Annotated[
    str | None,
    typer.Option(
        "--form",
        metavar="FORM",
        help="A checkpoint, champion, best, latest or base [default: the champion, else latest].",
    ),
]
PlaceOption = Annotated[
    str | None,
    typer.Option("--at", metavar="PLACE", help="Where it answers; `hub`: the Inn [default: this machine]."),
]
TemperatureOption = Annotated[
    float | None, typer.Option("--temperature", min=0.0, max=5.0, help="0 is greedy [default: the rules'].")
]
SeedOption = Annotated[int, typer.Option("--seed", help="Of the random stream, above temperature 0.")]
TopPOption = Annotated[
    float | None, typer.Option("--top-p", min=0.01, max=1.0, help="Share of the likeliest words [default: the rules'].")
]
TokensOption = Annotated[int | None, typer.Option("--max-tokens", min=1, help="Longest answer [default: the rules'].")]
LoadOption = Annotated[
    bool, typer.Option("--load", help="Load the form where another one works that must make room for it.")
]


@app.command()
def ask(
    prompt: Annotated[str, typer.Argument(metavar="TEXT", help="What to ask; `-` reads it from standard input.")],
    form: FormOption = None,
    place: PlaceOption = None,
    temperature: TemperatureOption = None,
    seed: SeedOption = 0,
    top_p: TopPOption = None,
    max_tokens: TokensOption = None,
    load: LoadOption = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask one question; the answer comes as it is made and proves which form gave it."""
    wish = _wish(
        save, prompt, [form], place, kind="ask", temperature=temperature, seed=seed, top_p=top_p, max_tokens=max_tokens,
        displace=load, remember=False,
    )  # fmt: skip
    (turn,) = _put(save, wish, None if as_json else _print_piece)
    _told(turn, as_json=as_json)


@app.command()
def chat(
    form: FormOption = None,
    place: PlaceOption = None,
    temperature: TemperatureOption = None,
    seed: SeedOption = 0,
    top_p: TopPOption = None,
    max_tokens: TokensOption = None,
    load: LoadOption = False,
    talk: Annotated[
        str | None, typer.Option("--talk", metavar="ID", help="Go on with an earlier conversation.")
    ] = None,
    remember: Annotated[
        bool | None,
        typer.Option("--remember/--alone", help="Send what was said before along [default: unless it was born here]."),
    ] = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Talk: each line of standard input is a question; an empty line or the end of input leaves, Ctrl-C stops an answer."""
    from dataclasses import replace

    from configs.errors import RealmError
    from realm_tui.runtime.inn.oracle_history import facts

    wish = _wish(
        save, "?", [form], place, kind="chat", temperature=temperature, seed=seed, top_p=top_p, max_tokens=max_tokens,
        displace=load, remember=remember, talk=talk,
    )  # fmt: skip
    asks = sys.stdin.isatty()
    say(f"{wish.talk}: {wish.forms[0]} at {wish.place}; an empty line leaves")
    with _Inn(save) as inn:
        while True:
            if asks:
                typer.echo("> ", nl=False, err=True)
            words = sys.stdin.readline().rstrip("\r\n")
            if not words.strip():
                return
            try:
                (turn,) = inn.put(replace(wish, words=words), None if as_json else _print_piece)
            except KeyboardInterrupt:
                say("\nstopped")
                continue
            except RealmError as error:
                if not asks:
                    raise
                say(f"realm: {error.text()}")
                continue
            if as_json:
                line(facts(_whole(turn)))
            else:
                _told(turn, as_json=False)


@app.command()
def compare(
    prompt: Annotated[str, typer.Argument(metavar="TEXT", help="What to ask both; `-` reads it from standard input.")],
    first: Annotated[str, typer.Option("--form", metavar="FORM", help="The one form.")] = "champion",
    second: Annotated[str, typer.Option("--against", metavar="FORM", help="The other one.")] = "latest",
    place: PlaceOption = None,
    temperature: TemperatureOption = None,
    seed: SeedOption = 0,
    top_p: TopPOption = None,
    max_tokens: TokensOption = None,
    load: LoadOption = False,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put one question to two forms, each with the same sampling and seed."""
    from configs.errors import RealmError
    from realm_tui.runtime.foreign import clean
    from realm_tui.runtime.inn.oracle_history import facts, told

    wish = _wish(
        save, prompt, [first, second], place, kind="compare", temperature=temperature, seed=seed, top_p=top_p,
        max_tokens=max_tokens, displace=load, remember=False,
    )  # fmt: skip
    found = _put(save, wish, None)
    errors = [one for one in found if isinstance(one, RealmError)]
    turns = [one for one in found if not isinstance(one, RealmError)]
    same = len(turns) == 2 and turns[0].answer == turns[1].answer
    if as_json:
        sides = [one.as_dict() if isinstance(one, RealmError) else facts(one) for one in found]
        data({"same": same if len(turns) == 2 else None, "sides": sides})
    else:
        for name, one in zip(wish.forms, found, strict=True):
            typer.echo(f"--- {name}")
            if isinstance(one, RealmError):
                say(f"realm: {one.text()}")
                continue
            typer.echo("\n".join(clean(text) for text in (one.answer or "").splitlines()))
            say(f"({told(one)})")
        if same:
            say("both gave the same answer")
    if len(errors) == len(found):
        raise errors[0]


@app.command()
def history(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[WORDS]", help="Only turns in which all of these words occur.")
    ] = None,
    talk: Annotated[str | None, typer.Option("--talk", metavar="ID", help="Only this conversation, whole.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="So many turns at most, the newest.")] = 20,
    export: Annotated[
        Path | None,
        typer.Option(
            "--export", metavar="FILE", help="Write them to a new file: .md to read, .json, or .jsonl as a quest."
        ),
    ] = None,
    save: SaveOption = None,
    as_json: JsonOption = False,
) -> None:
    """What was asked and answered, oldest first."""
    from configs.paths import SaveFolder
    from lore.figures import count
    from realm_tui.runtime.figures import moment
    from realm_tui.runtime.foreign import clean
    from realm_tui.runtime.inn.oracle_history import export as write
    from realm_tui.runtime.inn.oracle_history import facts, told
    from realm_tui.runtime.opened import opened
    from saves.oracle import newest_turns, talk_turns

    with opened(SaveFolder.named(save)) as found:
        if talk is not None:
            turns = talk_turns(found.conn, talk)
        else:
            turns = newest_turns(found.conn, limit=limit, words=" ".join(words or ()))[::-1]
    if export is not None:
        made = write(turns, export)
        if as_json:
            data({"path": str(made), "turns": len(turns)})
        else:
            typer.echo(str(made))
            say(f"{count(len(turns), 'turn')} written")
        return
    if as_json:
        data([facts(turn) for turn in turns])
        return
    for turn in turns:
        typer.echo(f"{moment(turn.at)}  {turn.talk}  {clean(turn.question)[:200]}")
        said = turn.answer if turn.answer is not None else f"({turn.error or 'no answer'})"
        for text in said.splitlines():
            typer.echo(f"    {clean(text)}")
        typer.echo(f"    ({told(turn)})")
    if not turns:
        say("nothing was asked yet; `realm oracle ask` asks")


# ---------------------------------------------------------------- putting to work, for `realm promote --inn`


def at_the_inn(folder: SaveFolder, form: str, place: str, *, undo: bool, anyway: bool, as_json: bool) -> None:
    """Put a form to work at a place, or call back what works there."""
    from realm_tui.runtime.inn import crown

    where = _place(place)
    with _Inn(folder.name) as inn:
        if undo:
            back = inn.run(lambda reach: crown.take_back(reach, folder, where, tell=inn.tell))
            if as_json:
                data(back)
                return
            say(f"{back['undone']} steps down")
            typer.echo(f"at work: {back['name'] or 'nothing'}")
            if back["uncrowned"]:
                typer.echo(f"champion: {back['champion'] or 'nobody'}")
            return
        done = inn.run(lambda reach: crown.promote(reach, folder, form, where, anyway=anyway, tell=inn.tell))
    if as_json:
        data(done.as_dict())
        return
    typer.echo(f"at work: {done.name} at {where}")
    typer.echo(f"champion: {done.name}")
    if done.doubt:
        say(f"doubt: {done.doubt}")
    times = ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in done.seconds.items())
    say(f"{times}; `realm promote --undo --inn {where}` takes it back")


def others_at_work(folder: SaveFolder, digest: str) -> list[str]:
    """Places at which another form than that one works."""
    from realm_tui.runtime.opened import opened
    from saves import ceremonies

    with opened(folder) as save:
        working = ceremonies.working_places(save.conn)
    return [place for place, one in working.items() if one.digest != digest]


# ---------------------------------------------------------------- parts


class _Inn:
    """The way to the servers for one command, on an event loop of its own; Ctrl-C stops what is under way and is raised after it."""

    def __init__(self, save: str | None) -> None:
        from configs.paths import SaveFolder
        from realm_tui.runtime.inn.loop import InnLoop
        from realm_tui.runtime.inn.reach import InnReach

        self._folder = SaveFolder.named(save)
        self._loop, self._reach = InnLoop(), InnReach(self._folder)
        self._told = ""

    def tell(self, text: str) -> None:
        """Say what is waited for, once."""
        if text and text != self._told:
            say(text)
        self._told = text or self._told

    def __enter__(self) -> _Inn:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._loop.run(self._reach.aclose()).result()
        finally:
            self._loop.close()

    def run(self, deed: Callable[[Reach], Coroutine[Any, Any, Any]]) -> Any:
        """The end of a coroutine."""
        future = self._loop.run(deed(self._reach))
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def put(self, wish: Wish, on_piece: Callable[[str], None] | None) -> list[Turn | RealmError]:
        """Ask; see `realm_tui.runtime.inn.oracle.put`."""
        from realm_tui.runtime.inn.oracle import put

        def heard(_: int, piece: str) -> None:
            if on_piece is not None:
                on_piece(piece)

        found: list[Turn | RealmError] = self.run(
            lambda reach: put(reach, self._folder, wish, on_piece=heard, tell=self.tell)
        )
        return found


def _put(save: str | None, wish: Wish, on_piece: Callable[[str], None] | None) -> list[Turn | RealmError]:
    with _Inn(save) as inn:
        return inn.put(wish, on_piece)


def _wish(
    save: str | None, prompt: str, forms: list[str | None], place: str | None, *, talk: str | None = None, **how: Any
) -> Wish:
    from configs.paths import SaveFolder
    from realm_tui.runtime.inn.forms import default_form
    from realm_tui.runtime.inn.oracle import Wish, new_talk
    from realm_tui.runtime.opened import opened

    with opened(SaveFolder.named(save)) as found:
        named = tuple(form or default_form(found) for form in forms)
    words = sys.stdin.read() if prompt == "-" else prompt
    return Wish(words, named, _place(place), talk or new_talk(), **how)


def _place(place: str | None) -> str:
    """The id of a place that has a server."""
    from configs.errors import UsageError
    from configs.facilities import load_facilities
    from realm_tui.runtime.inn.at_work import HUB, hub

    book = load_facilities()
    serving = book.serving()
    if place is None:
        here = book.here()
        local = [name for name in serving if book.facilities[name].is_local]
        found = here if here in serving else next(iter(local or serving), None)
    elif place == HUB:
        found = hub()  # whatever it is called
    else:
        book.facility(place)
        found = place if place in serving else None
    if found is None:
        raise UsageError(
            f"no server stands at {place}" if place else "no place has a server",
            fix=f"choose one of {', '.join(serving)}" if serving else "add one: `realm host add`",
            code="NO_SERVER",
        )
    return found


def _whole(turn: Turn | RealmError) -> Turn:
    from saves.oracle import Turn

    assert isinstance(turn, Turn)  # a question to one form raises what went wrong
    return turn


def _told(found: Turn | RealmError, *, as_json: bool) -> None:
    from realm_tui.runtime.inn.oracle_history import facts, told

    turn = _whole(found)
    if as_json:
        data(facts(turn))
        return
    typer.echo("")
    say(f"({told(turn)})")


def _print_piece(piece: str) -> None:
    """A piece of an answer as it comes, safe to print, its line ends kept."""
    from realm_tui.runtime.foreign import clean

    sys.stdout.write(clean(piece, newline="\n"))
    sys.stdout.flush()
