"""Letters and things in a row: contained or not, sorted, the same backwards, how many."""

from __future__ import annotations

from random import Random

from skills.primitives.material import ALPHABET, joined, letters, with_s, words
from skills.primitives.rows import Item, asked_in_row, fair, row, row_score
from skills.streams import Kind, Made


def _substring(random: Random, level: int) -> Made:
    few = "".join(random.sample(ALPHABET, 3 + level // 3))
    text = letters(random, 6 + level, few)
    size = 2 if level < 4 else 3 if level < 8 else 4

    def one(random: Random) -> Item:
        start = random.randrange(len(text) - size + 1)
        part = text[start : start + size]
        if random.random() < 0.5:
            # Nearly contained: one letter is another.
            at = random.randrange(size)
            part = part[:at] + random.choice(few) + part[at + 1 :]
        return part, "yes" if part in text else "no"

    items = row(random, 3 if level < 6 else 4, fair(one, ("yes", "no")))
    made = asked_in_row(f"Found in {text} (yes or no)", items)
    return Made(f"{text}|{made.canonical}", made.prompt, made.answer)


def _sort(random: Random, level: int) -> Made:
    text = letters(random, 3 + level)
    return Made(text, f"Sort letters: {text}", "".join(sorted(text)))


def _palindrome(random: Random, level: int) -> Made:
    few = "".join(random.sample(ALPHABET, 4))

    def one(random: Random) -> Item:
        size = 3 + level // 2 + random.randrange(2)
        half = letters(random, (size + 1) // 2, few)
        text = half + half[::-1][size % 2 :]
        if random.random() < 0.5:
            at = random.randrange(size)
            text = text[:at] + random.choice(few) + text[at + 1 :]
        return text, "yes" if text == text[::-1] else "no"

    return asked_in_row("Palindrome (yes or no)", row(random, 3 if level < 6 else 4, fair(one, ("yes", "no"))))


def _length(random: Random, level: int) -> Made:
    text = letters(random, random.randint(3, 7 + 2 * level))
    return Made(text, f"Length: {text}", str(len(text)))


def _objects(random: Random, level: int) -> Made:
    """How many of one thing, of all, or how many different ones; numbers before the things from the fifth rung on."""
    few = random.sample(words().things, 2 + (level + 1) // 2)
    numbered = level >= 5
    told = [(random.choice(few), random.randint(1, 9) if numbered else 1) for _ in range(4 + level)]
    sought = random.choice(few)
    way = random.random()
    if way < 0.6 or level < 3:
        asked, answer = f"How many {with_s(sought)}?", sum(n for thing, n in told if thing == sought)
    elif way < 0.8:
        asked, answer = "How many things?", sum(n for _, n in told)
    else:
        asked, answer = "How many kinds?", len({thing for thing, _ in told})
    listed = [(f"{n} {with_s(thing) if n > 1 else thing}" if numbered else thing) for thing, n in told]
    canonical = f"{asked}|{joined(sorted(listed), ',')}"
    return Made(canonical, f"{joined(listed, ', ')}. {asked}", str(answer))


KINDS = (
    Kind("substring_check", _substring, score=row_score),
    Kind("sort_letters", _sort),
    Kind("palindrome_check", _palindrome, score=row_score),
    Kind("string_length", _length),
    Kind("count_objects", _objects),
)
