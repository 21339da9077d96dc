"""Memory: fetch a fact, keep a conversation in mind, join facts, let the newest value win."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from skills.primitives.material import joined, symbols, words
from skills.streams import Kind, Made


def _recall(random: Random, level: int) -> Made:
    count, stock = 1 + level, words()
    who = symbols(random, count) if level < 3 else random.sample(stock.names, count)
    what = (
        [str(n) for n in random.sample(range(10, 100), count)] if level < 3 else random.sample(stock.qualities, count)
    )
    facts = list(zip(who, what, strict=True))
    name, value = random.choice(facts)
    told = [f"{a} is {b}." for a, b in facts]
    text, problem = joined(told), f"{joined(sorted(told))}|{name}"
    if level < 3:
        return Made(problem, f"{text} {name}?", value)
    if random.random() < 0.5:
        return Made(problem, f"{text} Who is {value}?", name)
    return Made(problem, f"{text} What is {name}?", value)


_REMARKS = (
    "I see.",
    "Good to know.",
    "Oh, really?",
    "How nice.",
    "Go on.",
    "Interesting.",
    "Well, well.",
    "Of course.",
)


def _context(random: Random, level: int) -> Made:
    """A conversation; the question names its matter by a pronoun or by what was said of it turns ago."""
    stock = words()
    count = 1 + (level + 1) // 2
    pets = random.sample(stock.pets, count)
    called = random.sample(stock.names, count)
    likes = random.sample(stock.foods, count)
    coats = random.sample(stock.colours, count)
    turns: list[str] = []
    for pet, name, food, coat in zip(pets, called, likes, coats, strict=True):
        lines = [f"My {pet} is called {name}.", f"It likes {food}."]
        if level >= 4:
            lines.append(f"It is {coat}.")
        for line in lines:
            turns += [f"A: {line}", f"B: {random.choice(_REMARKS)}"]
    chosen = random.randrange(count)
    pet, name, food, coat = pets[chosen], called[chosen], likes[chosen], coats[chosen]
    asked = [
        (f"What is my {pet} called?", name),
        (f"What does {name} like?", food),
        (f"Which of my animals likes {food}?", pet),
    ]
    if level >= 4:
        asked += [(f"What colour is {name}?", coat), (f"What does the {coat} one like?", food)]
    question, answer = random.choice(asked[: 2 + level])
    text = "\n".join([*turns, f"A: {question}"])
    said = joined(
        [f"{p},{n},{f},{c if level >= 4 else ''}" for p, n, f, c in zip(pets, called, likes, coats, strict=True)]
    )
    return Made(f"{said}|{question}", f"{text}\nB:", answer)


_ORDERS = (
    ("older", "oldest", "youngest"),
    ("taller", "tallest", "shortest"),
    ("faster", "fastest", "slowest"),
    ("richer", "richest", "poorest"),
)


def _compose(random: Random, level: int) -> Made:
    stock = words()
    if level < 3 or random.random() < 0.6:
        count = 3 + level // 2
        line = symbols(random, count) if level < 3 else random.sample(stock.names, count)
        more, most, least = ("over", "highest", "lowest") if level < 3 else random.choice(_ORDERS)
        link = f"is {more} than" if level >= 3 else "over"
        facts = [f"{a} {link} {b}." for a, b in pairwise(line)]
        if level > 1:
            random.shuffle(facts)
        question, answer = (f"Who is {most}?", line[0]) if random.random() < 0.5 else (f"Who is {least}?", line[-1])
        text = joined(facts)
        return Made(f"{joined(line)}|{question}", f"{text} {question}", answer)
    thing, place = random.choice(stock.things), random.choice(stock.places)
    nest = [thing, *random.sample(stock.holders, min(2 + level // 3, 5))]
    facts = [f"The {a} is in the {b}." for a, b in pairwise(nest)]
    facts.append(f"The {nest[-1]} is in the {place}.")
    if level >= 5:
        others, elsewhere = [t for t in stock.things if t != thing], [p for p in stock.places if p != place]
        for other in random.sample(others, level // 3):
            facts.append(f"The {other} is in the {random.choice(elsewhere)}.")
    random.shuffle(facts)
    text = joined(facts)
    return Made(f"{joined(sorted(facts))}|{thing}", f"{text} In which room or building is the {thing}?", place)


def _update(random: Random, level: int) -> Made:
    """Assignments in a row; the last one to the asked name wins. Higher rungs copy and add."""
    names = random.sample("abcdefghjkmnpqrstuvwxyz", 1 + (level + 1) // 2)
    values: dict[str, int] = {}
    lines: list[str] = []
    for name in names:
        values[name] = random.randrange(100)
        lines.append(f"{name}={values[name]}")
    for _ in range(1 + level):
        name, form = random.choice(names), random.random()
        if level >= 5 and form < 0.25:
            source = random.choice(names)
            values[name] = values[source]
            lines.append(f"{name}={source}")
        elif level >= 8 and form < 0.5:
            more = random.randint(1, 9)
            values[name] += more
            lines.append(f"{name}={name}+{more}")
        else:
            values[name] = random.randrange(100)
            lines.append(f"{name}={values[name]}")
    asked = random.choice(names)
    text = joined(lines, ", ")
    return Made(f"{text}|{asked}", f"{text}. {asked}?", str(values[asked]))


KINDS = (
    Kind("mem_recall", _recall),
    Kind("mem_context", _context),
    Kind("mem_compose", _compose),
    Kind("mem_update", _update),
)
