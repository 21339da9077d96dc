"""The whole way from a file of samples to a proposal in the player's folder, and to a person's decision."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from configs import clock
from configs.declared import DeclaredSkill, own_skill_files, own_skills_dir, read_declared
from configs.errors import BlockedError, UsageError
from configs.reading import nearest
from skills.declared import taken_ids
from skills.declared.skill import build
from skills.forge.consistency import EXPLAINED_SHARE, GOOD_SHARE, Checked, check, exam_plan, plan_entries
from skills.forge.declare import LEVELS, declaration, valid
from skills.forge.propose import mined, summary
from skills.forge.samples import Samples, read_samples
from skills.forge.scroll import set_block, write_proposal

_LINES_NAMED = 12


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed skill with what its checks found."""

    declared: DeclaredSkill
    checked: Checked
    samples: Samples
    odd: dict[str, list[int]]
    """Reason to the lines of the samples that are not explained."""
    path: Path

    @property
    def doubts(self) -> list[str]:
        """Why the samples do not support it; empty: they do."""
        return doubts_of(self.checked)


def doubts_of(checked: Checked) -> list[str]:
    """What speaks against a proposal."""
    found = []
    if checked.explained < EXPLAINED_SHARE * checked.samples:
        found.append(f"only {checked.explained} of {checked.samples} samples are explained")
    if not checked.held_out:
        found.append("no sample was held out")
    elif checked.answered < GOOD_SHARE * checked.held_out:
        found.append(f"only {checked.answered} of {checked.held_out} held-out samples get their answer")
    if checked.ambiguous:
        found.append(f"{checked.ambiguous} of {checked.regenerated} made problems can be read in two ways")
    if checked.guessable:
        found.append(f"one constant answer is mostly right for {', '.join(checked.guessable)}")
    return found


def skill_id_of(path: Path, wanted: str | None) -> str:
    """The id of a new skill: the one asked for, or the file's name.

    Raises:
        UsageError: it is no id, or belongs to a shipped skill.
    """
    found = wanted or re.sub(r"[^a-z0-9]+", "_", path.stem.lower()).strip("_")[:40]
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,39}", found) or found in taken_ids() or found.startswith("gym_"):
        raise UsageError(
            f"{found!r} cannot be the id of a new skill",
            why="a shipped skill is called so" if found in taken_ids() else "",
            fix="give another with --id: a letter, then letters, digits and _",
            code="BAD_SKILL_ID",
        )
    return found


def propose(
    file: Path, skill_id: str, name: str | None = None, *, levels: int = LEVELS, replace: bool = False
) -> Proposal:
    """Mine, explain, lay levels, check, and write the proposal.

    Raises:
        UsageError: the samples cannot be read.
        BlockedError: nothing could be explained, or a skill of this id lies there already.
    """
    path = own_skills_dir() / f"{skill_id}.yaml"
    if path.exists() and not replace:
        raise BlockedError(
            f"{path} lies there already", fix="choose another --id, or --replace it", code="SKILL_EXISTS"
        )
    samples = read_samples(file)
    result = mined([sample for sample in samples.found if not sample.held_out])
    data = declaration(skill_id, name or skill_id.replace("_", " ").capitalize(), result.found, levels)
    declared = valid(data)
    explained = sum(sum(one.explained.agrees) for one in result.found)
    checked = check(declared, samples.found, explained)
    odd: dict[str, list[int]] = {why: [] for why in summary(result)}
    for sample, why in result.odd:
        odd[why].append(sample.line)
    data |= {
        "exams": exam_plan(declared),
        "plan": plan_entries(declared),
        "review": {"state": "proposed"},
        "forged": {
            "samples_file": file.name,
            "samples_digest": samples.digest,
            "samples": checked.samples,
            "explained": checked.explained,
            "held_out": checked.held_out,
            "held_out_answered": checked.answered,
            "made": checked.regenerated,
            "ambiguous": checked.ambiguous,
            "guessable": list(checked.guessable),
            "unexplained": {why: lines[:_LINES_NAMED] for why, lines in odd.items()},
            "at": now(),
        },
    }
    write_proposal(path, data)
    return Proposal(valid(data), checked, samples, odd, path)


def find_own(skill_id: str) -> Path:
    """The file of a declared skill.

    Raises:
        UsageError: there is none; names the nearest.
    """
    files = own_skill_files()
    if skill_id not in files:
        near = nearest(skill_id, sorted(files))
        raise UsageError(
            f"no declared skill is called {skill_id!r}",
            why=f"the nearest name is {near}" if near else "",
            fix=f"choose one of {', '.join(files)}" if files else "forge one with `realm skill new --from FILE`",
            code="UNKNOWN_SKILL",
        )
    return files[skill_id]


def decide(skill_id: str, *, accept: bool, note: str = "", anyway: bool = False) -> DeclaredSkill:
    """Write down what a person decided.

    Raises:
        BlockedError: its checks speak against it and ``anyway`` is not said.
        RealmError: the file is not valid, or makes no problems.
    """
    path = find_own(skill_id)
    declared = read_declared(path)
    if accept:
        build(declared)
        forged = declared.forged
        if forged and not anyway and (doubts := doubts_written(forged)):
            raise BlockedError(
                f"the samples do not support {skill_id}",
                why="; ".join(doubts),
                fix=f"mend {path} or give more samples, or accept it --anyway",
                code="NOT_CONSISTENT",
            )
    set_block(path, "review", {"state": "accepted" if accept else "rejected", "at": now(), "note": note})
    return read_declared(path)


def note_gain(skill_id: str, gain: dict[str, Any]) -> None:
    """Write a measured gain beside the proposal."""
    path = find_own(skill_id)
    forged = dict(read_declared(path).forged)
    set_block(path, "forged", {**forged, "gain": gain})


def checked_facts(checked: Checked) -> dict[str, Any]:
    """The checks as JSON."""
    return {**asdict(checked), "consistent": checked.consistent}


def now() -> str:
    """The moment as a file shows it."""
    return clock.utc(clock.now()).strftime("%Y-%m-%d %H:%M UTC")


def doubts_written(forged: dict[str, Any]) -> Sequence[str]:
    """Why the samples do not support a proposal, from what was written beside it; empty: they do, or nothing was written."""
    numbers = {
        key: forged.get(key) for key in ("samples", "explained", "held_out", "held_out_answered", "made", "ambiguous")
    }
    if not all(isinstance(value, int) for value in numbers.values()):
        return []
    return doubts_of(
        Checked(
            samples=forged["samples"],
            explained=forged["explained"],
            held_out=forged["held_out"],
            answered=forged["held_out_answered"],
            unread=(),
            wrong=(),
            regenerated=forged["made"],
            ambiguous=forged["ambiguous"],
            problems_per_s=0.0,
            guessable=tuple(map(str, forged.get("guessable", ()))),
        )
    )
