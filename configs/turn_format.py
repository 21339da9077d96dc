"""Turn formats as data: how each model family writes a conversation down, one YAML per format in `configs/chat/`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from configs.base import Model
from configs.errors import RealmError
from configs.paths import config_dir
from configs.reading import parse, read_yaml, shipped
from configs.schema import HeroModel

Speaker = Literal["system", "user", "assistant", "tool"]


class Turn(Model):
    """What stands around one speaker's words."""

    header: str = Field(description="before the words; marks in it are placed by id")
    lead: str = Field("", description="text that belongs to the words, not to the header, e.g. a first space")
    end: str = Field(description="closes the turn; an answer's first mark of it is trained")
    after: str = Field("", description="between this turn and the next")


class ToolFormat(Model):
    """How calls of a tool stand in an answer, and what a tool gives back."""

    behind_words: str = Field("\n", description="between an answer's words and its first call")
    open: str = Field("", description="before the first call")
    call: str = Field(description="one call: {name} and {arguments} as JSON, or {call} as one object")
    join: str = Field("\n", description="between two calls")
    close: str = Field("", description="behind the last call")
    result: str = Field(description="what a tool gave back, as its turn's words: {content}, or {quoted} as JSON")
    merge: bool = Field(False, description="results that follow each other share one turn")


class TurnFormat(Model):
    """One way to write a conversation down."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", description="file name without .yaml")
    description: str = Field(description="which models speak so")
    families: tuple[str, ...] = Field(min_length=1, description="beginnings of the model families that speak so")
    names: tuple[str, ...] = Field((), description="parts of model names that speak so whatever their family")
    marks: tuple[str, ...] = Field(min_length=1, description="tokens the tokenizer must have; placed by id")
    optional_marks: tuple[str, ...] = Field((), description="placed by id where the tokenizer has them, else as text")
    begin: str = Field("", description="mark before the first turn and before a raw text; empty: none")
    end_of_text: str = Field(description="mark that ends a raw text and fills rows")
    stop: tuple[str, ...] = Field((), description="marks beside the end of an answer and of a text that end an answer")
    system: Turn | None = Field(None, description="null: the system's words are put before the next user turn's")
    system_join: str = Field("\n\n", description="between the system's words and the user's, where they share a turn")
    user: Turn
    assistant: Turn
    tool: Turn
    think_open: str = Field("<think>\n", description="before a thought")
    think_close: str = Field("\n</think>\n\n", description="between a thought and its answer")
    tools: ToolFormat

    @model_validator(mode="after")
    def _consistent(self) -> TurnFormat:
        if not self.assistant.end.startswith(self.marks):
            raise ValueError("`assistant.end` begins with no mark, so an answer would have no end")
        if self.begin and self.begin not in self.marks:
            raise ValueError("`begin` is not among the marks")
        for turn in (self.system, self.user, self.assistant, self.tool):
            if turn is None or turn is self.assistant:
                continue
            if not any(mark in turn.header for mark in self.marks):
                raise ValueError("a `header` holds no mark, so words could not be told from turns")
        return self


def turn_formats() -> dict[str, TurnFormat]:
    """Every turn format by name, shipped and the player's own (``chat/`` in the configuration folder)."""
    return dict(_formats(str(config_dir() / "chat")))


@cache
def _formats(own: str) -> dict[str, TurnFormat]:
    files = {f.name.removesuffix(".yaml"): f for f in (shipped() / "chat").iterdir() if f.name.endswith(".yaml")}
    files.update({f.stem: f for f in sorted(Path(own).glob("*.yaml"))})
    return {name: parse(TurnFormat, read_yaml(file), f"turn format {name}") for name, file in sorted(files.items())}


def turn_format(model: HeroModel) -> TurnFormat:
    """The format a hero's model speaks: the one its YAML names, else its family's, else ChatML.

    Raises:
        RealmError: the YAML names a format that does not exist.
    """
    formats = turn_formats()
    if model.template:
        if model.template not in formats:
            raise RealmError(
                f"no turn format is called {model.template!r}",
                why="`model.template` in the hero's YAML",
                fix=f"choose one of {', '.join(formats)}, or leave it empty",
                code="TEMPLATE_UNKNOWN",
            )
        return formats[model.template]
    name, family = model.name.lower(), model.family.lower()
    for found in formats.values():
        if any(part in name for part in found.names):
            return found
    fitting = [
        (len(start), found) for found in formats.values() for start in found.families if family.startswith(start)
    ]
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else formats["chatml"]
