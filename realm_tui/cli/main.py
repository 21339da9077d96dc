"""The root of ``realm``: the table of commands, loaded one at a time, and the one place where errors become words."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from configs.errors import RealmError
from configs.version import __version__
from realm_tui.cli.output import fault, refuse, refused_outside

# Looking for pydantic's plugins reads the metadata of every installed package, a tenth of a command's time.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

COMMANDS: dict[str, tuple[str, str]] = {
    "play": ("realm_tui.cli.play", "play"),
    "run": ("realm_tui.cli.game", "run"),
    "train": ("realm_tui.cli.game", "train"),
    "watch": ("realm_tui.cli.game", "watch"),
    "status": ("realm_tui.cli.status", "status"),
    "events": ("realm_tui.cli.status", "events"),
    "pause": ("realm_tui.cli.control", "pause"),
    "resume": ("realm_tui.cli.control", "resume"),
    "park": ("realm_tui.cli.control", "park"),
    "stop": ("realm_tui.cli.control", "stop"),
    "skip": ("realm_tui.cli.control", "skip"),
    "checkpoint": ("realm_tui.cli.control", "checkpoint"),
    "set": ("realm_tui.cli.control", "set_"),
    "promote": ("realm_tui.cli.control", "promote"),
    "ask": ("realm_tui.cli.control", "ask"),
    "oracle": ("realm_tui.cli.oracle", "app"),
    "quest": ("realm_tui.cli.quest", "app"),
    "hero": ("realm_tui.cli.hero", "app"),
    "ledger": ("realm_tui.cli.ledger", "app"),
    "skill": ("realm_tui.cli.skill", "app"),
    "exam": ("realm_tui.cli.exam", "app"),
    "spar": ("realm_tui.cli.spar", "spar"),
    "job": ("realm_tui.cli.job", "app"),
    "task": ("realm_tui.cli.task", "app"),
    "garrison": ("realm_tui.cli.garrison", "app"),
    "curriculum": ("realm_tui.cli.curriculum", "app"),
    "effect": ("realm_tui.cli.effect", "app"),
    "title": ("realm_tui.cli.title", "app"),
    "achievement": ("realm_tui.cli.achievement", "app"),
    "incident": ("realm_tui.cli.incident", "app"),
    "primitive": ("realm_tui.cli.primitive", "app"),
    "campaign": ("realm_tui.cli.campaign", "app"),
    "reset": ("realm_tui.cli.reset", "reset"),
    "save": ("realm_tui.cli.save", "app"),
    "config": ("realm_tui.cli.config", "app"),
    "host": ("realm_tui.cli.host", "app"),
    "worker": ("realm_tui.cli.worker", "app"),
    "vram": ("realm_tui.cli.vram", "vram"),
    "saga": ("realm_tui.cli.saga", "app"),
    "lore": ("realm_tui.cli.lore", "lore"),
    "doctor": ("realm_tui.cli.doctor", "doctor"),
    "log": ("realm_tui.cli.doctor", "log"),
}
"""Command name to the module and the attribute (a Typer app or a function) that holds it."""

_TYPERS_OWN: tuple[type[BaseException], ...] = (
    typer.Exit,
    typer.Abort,
    BrokenPipeError,
    *(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"),
)
"""What ends a command without being a fault: typer turns these into words and exit codes itself."""


class RealmGroup(TyperGroup):
    """Imports a command's module when the command is asked for, and turns `RealmError` into text and an exit code."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every command, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command called ``cmd_name``; an unknown name loads all of them, so that a near one can be proposed."""
        if cmd_name not in COMMANDS:
            for name in COMMANDS:
                self._load(name)
            return None
        return self._load(cmd_name)

    def _load(self, name: str) -> Any:
        if name not in self.commands:
            module, attribute = COMMANDS[name]
            found = getattr(import_module(module), attribute)
            command: Any
            if isinstance(found, typer.Typer):
                command = typer.main.get_group(found)
            else:
                one = typer.Typer(add_completion=False, rich_markup_mode=None)
                one.command(name)(found)
                command = typer.main.get_command(one)
            command.name = name
            self.commands[name] = command
        return self.commands[name]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Remember whether the answer is for a machine, then parse as usual."""
        ctx.meta["realm.json"] = "--json" in args
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a `RealmError` ends it with its own exit code, an unknown fault with 1 and no traceback."""
        try:
            return super().invoke(ctx)
        except RealmError as error:
            refuse(error, as_json=ctx.meta["realm.json"])
            raise typer.Exit(error.exit_code) from error
        except _TYPERS_OWN:
            raise
        except Exception as error:
            told = refused_outside(error) or fault(error)
            refuse(told, as_json=ctx.meta["realm.json"])
            raise typer.Exit(told.exit_code) from error


app = typer.Typer(
    name="realm",
    cls=RealmGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="A full-screen idle game around a real fine-tuning engine. `realm play` opens it.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"realm {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    """Options before the command."""


def run() -> None:
    """The entry point of the ``realm`` script."""
    app(prog_name="realm")
