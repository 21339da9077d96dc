"""An answer's tokens as text while they come: never half a character, never half of what ends it. No torch."""

from __future__ import annotations

from collections.abc import Sequence

from engine.chat.template import Speaking, decode

_HALF = "\N{REPLACEMENT CHARACTER}"


class Speech:
    """The text of one answer, token by token; what all pieces say together is what `text` is in the end.

    Args:
        hero: reads its tokens.
        lead: the space that its turn format puts first, which is left out.
        stops: texts that end the answer, and are left out.
    """

    def __init__(self, hero: Speaking, lead: str = "", stops: Sequence[str] = ()) -> None:
        self._hero, self._lead, self._stops = hero, lead, tuple(stops)
        self._ids: list[int] = []
        self._from = self._to = 0
        """Tokens before ``_to`` are in the text; those from ``_from`` on stand before the next ones when they are read."""
        self._text = ""
        self._said = 0
        self._begun = not lead
        self.stopped = False
        """A stop text was reached."""

    @property
    def text(self) -> str:
        """All that was read so far, up to the stop text."""
        return self._text

    def add(self, token: int) -> str:
        """What can be said now that ``token`` has come; often nothing."""
        self._ids.append(token)
        before, now = self._read(self._to), self._read(len(self._ids))
        if len(now) <= len(before) or now.endswith(_HALF):
            return ""
        self._from, self._to = self._to, len(self._ids)
        return self._grow(now[len(before) :], last=False)

    def end(self) -> str:
        """What is left to say behind the last token."""
        if self.stopped:
            return ""
        rest = self._read(len(self._ids))[len(self._read(self._to)) :]
        self._from = self._to = len(self._ids)
        return self._grow(rest, last=True)

    def _read(self, end: int) -> str:
        return decode(self._hero, self._ids[self._from : end])

    def _grow(self, more: str, *, last: bool) -> str:
        self._text += more
        if not self._begun:
            if not last and len(self._text) < len(self._lead) and self._lead.startswith(self._text):
                return ""
            self._text, self._begun = self._text.removeprefix(self._lead), True
        for stop in self._stops:
            place = self._text.find(stop, max(0, self._said - len(stop)))
            if place >= 0:
                self._text, self.stopped = self._text[:place], True
        end = len(self._text) if self.stopped or last else len(self._text) - self._held()
        said, self._said = self._text[self._said : end], max(self._said, end)
        return said

    def _held(self) -> int:
        """Letters at the end that may be the beginning of a stop text."""
        longest = max(map(len, self._stops), default=0) - 1
        for length in range(min(longest, len(self._text) - self._said), 0, -1):
            if any(stop.startswith(self._text[-length:]) for stop in self._stops):
                return length
        return 0
