"""Answers of the drills, worked out a second time from the prompt alone by another road."""

from __future__ import annotations

import ast
import itertools
import json
import re
from base64 import b64decode
from codecs import decode

import pytest

from configs.catalogue import primitive_id
from skills.contract import Problem, Result
from skills.registry import get_skill

PRIM = get_skill("prim")


def _problems(name: str, *rungs: int, count: int = 60) -> list[Problem]:
    return [PRIM.generate(rung, i, "train", operation=name) for rung in rungs or range(1, 11) for i in range(count)]


# ---- logic: every world in which the premises hold


def _atom(said: str) -> tuple[str, bool]:
    """A statement without its denial, and whether it is affirmed."""
    said = said.strip()
    if said.startswith("not "):
        return said[4:], False
    if " does not " in said:
        name, verb = said.split(" does not ")
        return f"{name} {verb}", False
    if " is not " in said:
        return said.replace(" is not ", " is "), False
    words = said.split()
    if len(words) == 2 and words[1] not in ("is",):
        return f"{words[0]} {_bare(words[1])}", True
    return said, True


def _bare(verb: str) -> str:
    for end, put in (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("s", "")):
        if verb.endswith(end):
            return verb[: -len(end)] + put
    return verb


Clause = list[tuple[str, bool]]


def _clauses(text: str) -> list[Clause]:
    """The premises as clauses: each lists literals of which one holds."""
    found: list[Clause] = []
    for premise in filter(None, (p.strip() for p in text.split("."))):
        if premise.startswith("If "):
            cause, effect = premise[3:].split(" then ")
            a, x = _atom(cause)
            found.append([(a, not x), _atom(effect)])
        elif " if and only if " in premise:
            (a, x), (b, y) = (_atom(side) for side in premise.split(" if and only if "))
            found += [[(a, not x), (b, y)], [(a, x), (b, not y)]]
        else:
            found.append([_atom(part) for part in premise.split(" or ")])
    return found


def _entails(clauses: list[Clause], literal: tuple[str, bool]) -> bool:
    """No world fulfils the clauses and denies the literal: unit propagation over splits."""

    def possible(known: dict[str, bool]) -> bool:
        changed = True
        while changed:
            changed = False
            for clause in clauses:
                if any(known.get(a) == x for a, x in clause):
                    continue
                free = [(a, x) for a, x in clause if a not in known]
                if not free:
                    return False
                if len(free) == 1:
                    known = known | {free[0][0]: free[0][1]}
                    changed = True
        undecided = [a for clause in clauses for a, _ in clause if a not in known]
        return not undecided or any(possible(known | {undecided[0]: value}) for value in (True, False))

    return not possible({literal[0]: not literal[1]})


@pytest.mark.parametrize(
    "name", ["logic_deduce", "logic_contrapose", "logic_chain", "logic_disjunct", "logic_biconditional"]
)
def test_what_is_said_to_follow_follows(name: str) -> None:
    for problem in _problems(name, count=25):
        text = re.split(r" (?:So\?|In the end\?|What about )", problem.prompt)[0]
        clauses = _clauses(text)
        if problem.answer == "nothing":
            stated = {c[0] for c in clauses if len(c) == 1}
            atoms = {a for clause in clauses for a, _ in clause}
            assert not [a for a in atoms for x in (True, False) if (a, x) not in stated and _entails(clauses, (a, x))]
        else:
            assert _entails(clauses, _atom(problem.answer))
            # The premises can all be true at once.
            assert not _entails(clauses, ("nothing at all", False))


def test_sometimes_nothing_follows_and_the_prompt_says_that_this_can_be() -> None:
    for name in ("logic_deduce", "logic_contrapose"):
        high = _problems(name, 5, 8, 10)
        assert 0.1 < sum(p.answer == "nothing" for p in high) / len(high) < 0.4
        assert all("nothing" in p.prompt for p in high)


# ---- sequences


def test_sequences() -> None:
    for problem in _problems("seq_reverse"):
        assert list(problem.answer) == list(reversed(problem.prompt.removeprefix("Reverse: ")))
    for problem in _problems("seq_interleave"):
        texts = problem.prompt.removeprefix("Interleave: ").split()
        assert problem.answer == "".join(itertools.chain.from_iterable(zip(*texts, strict=True)))
    for problem in _problems("fibonacci"):
        *_, one, two, _ = problem.prompt.removeprefix("Next: ").split(", ")
        assert int(problem.answer) == int(one) + int(two)
    for name, order in (("arithmetic", 1), ("square", 2)):
        for problem in _problems(name):
            terms = [int(n) for n in re.findall(r"-?\d+", problem.prompt)] + [int(problem.answer)]
            for _ in range(order):
                terms = [b - a for a, b in itertools.pairwise(terms)]
            assert len(set(terms)) == 1
    for problem in _problems("geometric"):
        terms = [int(n) for n in re.findall(r"\d+", problem.prompt)] + [int(problem.answer)]
        assert len({(b % a, b // a) for a, b in itertools.pairwise(terms)}) == 1


def test_taking_letters_by_a_rule() -> None:
    for problem in _problems("seq_extract"):
        asked, text = re.fullmatch(r"Take (.+): (\w+)", problem.prompt).groups()  # type: ignore[union-attr]
        places = [int(n) for n in re.findall(r"\d+", asked)]
        positions = range(1, len(text) + 1)
        if asked.startswith("first"):
            kept = [p for p in positions if p <= places[0]]
        elif asked.startswith("last"):
            kept = [p for p in positions if p > len(text) - places[0]]
        elif " from " in asked:
            kept = [p for p in positions if p >= places[1] and (p - places[1]) % places[0] == 0]
        elif asked.startswith("every"):
            kept = [p for p in positions if p % places[0] == 0]
        else:
            kept = [p for p in positions if places[0] <= p <= places[1]]
        assert problem.answer == "".join(text[p - 1] for p in kept)


# ---- attention and transformation


def test_counting_comparing_and_ordering() -> None:
    for problem in _problems("attn_count"):
        _, sought, text = problem.prompt.replace(":", "").split()
        assert int(problem.answer) == sum(letter == sought for letter in text)
    for problem in _problems("attn_compare"):
        one, other = (int(n) for n in re.findall(r"\d+", problem.prompt))
        assert one != other and int(problem.answer) in (one, other) and int(problem.answer) >= max(one, other)
    for problem in _problems("attn_rank"):
        head, given = problem.prompt.split(": ")
        pairs = list(itertools.pairwise(problem.answer.split()))
        assert sorted(given.split()) == sorted(problem.answer.split())
        if head == "By length":
            assert all(len(a) < len(b) for a, b in pairs)
        elif head == "By alphabet":
            assert all(a <= b for a, b in pairs)
        else:
            assert all((int(a) > int(b)) if head == "Sort down" else (int(a) < int(b)) for a, b in pairs)
    for problem in _problems("attn_filter"):
        head, given = problem.prompt.split(": ")
        kept = [] if problem.answer == "none" else problem.answer.split()
        rest = given.split()
        for number in kept:
            rest.remove(number)
        if head.startswith(("Over", "Under")):
            bound = int(head.split()[1])
            sign = 1 if head.startswith("Over") else -1
            assert all(sign * int(n) > sign * bound for n in kept)
            assert not any(sign * int(n) > sign * bound for n in rest)
        elif head in ("Even", "Odd"):
            assert all((n[-1] in "02468") == (head == "Even") for n in kept)
            assert not any((n[-1] in "02468") == (head == "Even") for n in rest)


def test_codes_are_undone_by_other_means() -> None:
    for name in ("xfm_encode", "xfm_decode"):
        for problem in _problems(name):
            code, given = re.fullmatch(r"\w+ \((.+)\): (.+)", problem.prompt).groups()  # type: ignore[union-attr]
            plain, coded = (given, problem.answer) if name == "xfm_encode" else (problem.answer, given)
            if code == "Base64":
                assert b64decode(coded).decode() == plain
            elif code == "hex":
                assert bytes.fromhex(coded).decode() == plain
            elif code == "ROT13":
                assert decode(coded, "rot13") == plain
            elif code == "numbers":
                assert "".join(chr(96 + int(n)) for n in coded.split()) == plain
            elif code == "mirrored alphabet":
                assert all(ord(a) + ord(b) == ord("a") + ord("z") for a, b in zip(plain, coded, strict=True))
            else:
                shift = {"next letter": 1, "previous letter": -1}.get(code) or int(code.split()[1])
                assert all((ord(b) - ord(a) - shift) % 26 == 0 for a, b in zip(plain, coded, strict=True))


def test_the_newest_value_wins() -> None:
    for problem in _problems("mem_update"):
        lines, asked = re.fullmatch(r"(.+)\. (\w)\?", problem.prompt).groups()  # type: ignore[union-attr]
        known: dict[str, int] = {}
        for name, value in (line.split("=") for line in lines.split(", ")):
            parts = [known[part] if part.isalpha() else int(part) for part in value.split("+")]
            known[name] = sum(parts)
        assert known[asked] == int(problem.answer)


# ---- formats


def test_formats_are_read_back() -> None:
    for problem in _problems("fmt_json"):
        value = json.loads(problem.answer)
        assert all(str(key) in problem.prompt for key in value)
        assert PRIM.score(problem, json.dumps(value, indent=2)).result is Result.HIT
        assert PRIM.score(problem, f"```json\n{problem.answer}\n```").correct
        assert PRIM.score(problem, json.dumps({**value, "more": 1})).result is Result.MISS
        assert PRIM.score(problem, problem.answer[:-1]).result is Result.CRIT_MISS
    for problem in _problems("fmt_code"):
        tree = ast.parse(problem.answer).body[0]
        assert isinstance(tree, ast.FunctionDef) and f" {tree.name}(" in problem.prompt
        assert PRIM.score(problem, problem.answer.replace("    ", "  ")).result is Result.HIT
        assert PRIM.score(problem, problem.answer.replace("return", "yield", 1)).result is Result.GLANCING
        assert PRIM.score(problem, problem.answer.replace(":", "", 1)).result is Result.CRIT_MISS
    for problem in _problems("fmt_table"):
        squeezed = problem.answer.replace("| ", "|").replace(" |", "|").replace("---", ":-:")
        assert PRIM.score(problem, squeezed).result is Result.HIT
        assert not PRIM.score(problem, "\n".join(problem.answer.splitlines()[:-1])).correct
        assert PRIM.score(problem, "a table").result is Result.CRIT_MISS


def test_several_words_use_every_tile_of_the_bank() -> None:
    for problem in _problems("multi_word_assembly"):
        tiles, told = re.fullmatch(r"Tiles: (.+)\. Words: (.+)", problem.prompt).groups()  # type: ignore[union-attr]
        assert sorted("".join(tiles.split())) == sorted(problem.answer.replace(" ", ""))
        assert sum(int(n) for n in re.findall(r"\((\d+)\)(?:;|$)", told)) == len(tiles.split())
        assert len(told.split("; ")) == len(problem.answer.split())


def test_primitives_that_skills_report_are_in_the_catalogue() -> None:
    """So that a problem of Binary Alchemy or Word Weaving and a drill count as the same ability."""
    for name in ("bin", "sy"):
        skill = get_skill(name)
        for mix in skill.config.mixes:
            for level in (1, 8, skill.config.max_level):
                for i in range(120):
                    for primitive in skill.generate(level, i, "train", mix).primitives:
                        primitive_id(primitive)


def test_capitals_count_where_they_are_the_matter() -> None:
    upper = next(p for p in _problems("xfm_map") if p.prompt.startswith("Each uppercase"))
    assert PRIM.score(upper, upper.answer.replace(" ", ", ")).correct
    assert not PRIM.score(upper, upper.answer.lower()).correct
    coded = next(p for p in _problems("xfm_encode", 10) if "Base64" in p.prompt and p.answer != p.answer.lower())
    assert not PRIM.score(coded, coded.answer.lower()).correct


def test_an_open_question_takes_every_right_word() -> None:
    for name in ("antonym_easy", "synonym_easy"):
        several = next(p for p in _problems(name, 10, count=2000) if len(p.meta["accept"]) > 1)
        assert all(PRIM.score(several, word).correct for word in several.meta["accept"])
        assert not PRIM.score(several, "the").correct


@pytest.mark.parametrize("name", ["antonym_easy", "synonym_easy"])
def test_a_word_keeps_its_side_whatever_is_offered_beside_it(name: str) -> None:
    asked = {"train": set[str](), "exam": set[str]()}
    for rung in (1, 5, 10):
        for i in range(200):
            asked["train"].add(re.split(r"[ :]", PRIM.generate(rung, i, "train", operation=name).prompt)[2])
            asked["exam"].add(re.split(r"[ :]", PRIM.generate(rung, i, "exam", operation=name).prompt)[2])
    assert len(asked["exam"]) > 40 and not asked["train"] & asked["exam"]
