"""Basics of language: opposites, like words, plurals, the subject of a sentence and its type."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from random import Random

from skills.primitives.material import article, joined, with_s, words
from skills.primitives.scoring import accepted_score, list_score
from skills.streams import Kind, Made

_OPEN_FROM = 7
"""First rung that offers no choice of answers."""


@cache
def _partners(relation: str) -> Mapping[str, tuple[str, ...]]:
    """Each word with all words of the other side."""
    found: dict[str, list[str]] = {}
    for a, b in words().antonyms if relation == "Opposite" else words().synonyms:
        found.setdefault(a, []).append(b)
        found.setdefault(b, []).append(a)
    return {word: tuple(others) for word, others in found.items()}


@cache
def _right(relation: str, word: str) -> tuple[str, ...]:
    """Every word that is a right answer; of opposites also what means the same as they."""
    direct = _partners(relation)[word]
    more = [like for other in direct for like in _partners("Same").get(other, ())] if relation == "Opposite" else []
    return tuple(dict.fromkeys(w for w in (*direct, *more) if w != word))


@cache
def _known(relation: str) -> tuple[str, ...]:
    return tuple(_partners(relation))


def _relation(relation: str, random: Random, level: int) -> Made:
    """The word alone is the problem: whatever is offered beside the answer, it stays on its side of the split."""
    word = random.choice(_known(relation))
    right = _right(relation, word)
    name = "Opposite of" if relation == "Opposite" else "Same as"
    if level >= _OPEN_FROM:
        return Made(word, f"{name} {word}: one word", right[0], meta={"accept": right})
    offered = [random.choice(_partners(relation)[word])]
    other = _partners("Same" if relation == "Opposite" else "Opposite").get(word, ())
    if level >= 4 and other and other[0] not in right:
        offered.append(other[0])
    while len(offered) < min(1 + level, 5):
        decoy = random.choice(_known(relation))
        if decoy != word and decoy not in right and decoy not in offered and decoy not in other:
            offered.append(decoy)
    answer = offered[0]
    random.shuffle(offered)
    return Made(word, f"{name} {word}: {joined(offered, ' or ')}", answer)


def _antonym(random: Random, level: int) -> Made:
    return _relation("Opposite", random, level)


def _synonym(random: Random, level: int) -> Made:
    return _relation("Same", random, level)


def _choices(level: int) -> float:
    """What guessing among the offered words earns."""
    return 0.0 if level >= _OPEN_FROM else 1 / min(1 + level, 5)


def _plural(random: Random, level: int) -> Made:
    nouns = random.sample(words().nouns, (level + 1) // 2)
    return Made(joined(nouns), f"Plural: {joined(nouns)}", joined([with_s(noun) for noun in nouns]))


def _someone(random: Random, level: int) -> str:
    """A subject: a name, a noun with its company, later two of them."""
    stock = words()
    if level < 3:
        return random.choice(stock.names)
    noun = random.choice(stock.pets)
    said = f"the {random.choice(stock.qualities)} {noun}" if random.random() < 0.5 else f"the {noun}"
    if level >= 5 and random.random() < 0.5:
        said += f" from the {random.choice(stock.places)}"
    if level >= 8 and random.random() < 0.5:
        return f"{random.choice(stock.names)} and {said}"
    return said if random.random() < 0.7 else random.choice(stock.names)


def _subject(random: Random, level: int) -> Made:
    stock = words()
    who, verb, place = _someone(random, level), random.choice(stock.verbs), random.choice(stock.places)
    does = verb if " and " in who else with_s(verb)
    form = random.randrange(1 if level < 3 else 2 if level < 6 else 3)
    if form == 0:
        text = f"{who} {does} in the {place}."
    elif form == 1:
        text = f"In the {place}, {who} {does}."
    else:
        other = random.choice([n for n in stock.names if n not in who])
        text = f"Near {other}, in the {random.choice(stock.qualities)} {place}, {who} {does}."
    bare = who.removeprefix("the ")
    return Made(text.casefold(), f"Subject: {text[0].upper()}{text[1:]}", who, meta={"accept": (bare.casefold(),)})


_TYPES = ("statement", "question", "command", "exclamation")
_WHICH = "Statement, question, command or exclamation?"


def _sentence_type(random: Random, level: int) -> Made:
    stock = words()
    form = random.randrange(4)
    name, verb, place = random.choice(stock.names), random.choice(stock.verbs), random.choice(stock.places)
    thing, quality = random.choice(stock.things), random.choice(stock.qualities)
    if form == 0:
        said = random.choice((f"{name} {with_s(verb)} in the {place}", f"The {thing} of {name} is in the {place}"))
    elif form == 1:
        said = random.choice((f"Does {name} {verb} in the {place}", f"Why is the {thing} of {name} in the {place}"))
    elif form == 2:
        said = random.choice((f"Please {verb} in the {place}, {name}", f"Bring the {thing} to the {place}, {name}"))
    else:
        said = random.choice(
            (f"What {article(quality)} {thing} {name} has in the {place}", f"How {quality} {name} is in the {place}")
        )
    # The mark at the end tells much, and is taken away from the fourth rung on.
    mark = "" if level >= 4 else (".", "?", ".", "!")[form]
    before = "" if level < 7 or form != 0 else f"{random.choice(stock.names)} asks why "
    if before:
        said = before + said[0].lower() + said[1:] if said.startswith("The") else before + said
    return Made(said, f"{_WHICH} {said}{mark}", _TYPES[form])


KINDS = (
    Kind("antonym_easy", _antonym, score=accepted_score, chance=_choices),
    Kind("synonym_easy", _synonym, score=accepted_score, chance=_choices),
    Kind("pluralize_regular", _plural, score=list_score),
    Kind("identify_subject", _subject, score=accepted_score),
    Kind("sentence_type", _sentence_type, chance=0.25),
)
