"""Errors that say what happened, where, why, and the way out."""

from __future__ import annotations

WAY_OUT = "Way out: "
"""What stands before the way out in the text of an error."""


class RealmError(Exception):
    """A failure that a player can understand and act on.

    Args:
        what: what went wrong, with the place (file, line, field).
        why: the reason, when it adds something.
        fix: the way out, as an instruction.
        code: a stable upper-case code for scripts (``CONFIG_INVALID``).
    """

    exit_code = 1

    def __init__(self, what: str, *, why: str = "", fix: str = "", code: str = "FAILED") -> None:
        self.what, self.why, self.fix, self.code = what, why, fix, code
        super().__init__(self.text())

    def text(self) -> str:
        """The message as one paragraph."""
        parts = [self.what.rstrip(".") + "."]
        if self.why:
            parts.append(self.why.rstrip(".") + ".")
        if self.fix:
            parts.append(f"{WAY_OUT}{self.fix.rstrip('.')}.")
        return " ".join(parts)

    def as_dict(self) -> dict[str, str]:
        """The machine form: ``code, what, why, fix``."""
        return {"code": self.code, "what": self.what, "why": self.why, "fix": self.fix}


class UsageError(RealmError):
    """The command was given something it cannot take."""

    exit_code = 2


class BlockedError(RealmError):
    """The command is fine, but something stands in its way; ``fix`` says how to clear it."""

    exit_code = 3
