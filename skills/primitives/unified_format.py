"""Formats: JSON, tables, code, lists and templates, written from facts that are given."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from skills.primitives.material import joined, with_s, words
from skills.primitives.scoring import code_score, json_score, lines_score, table_score
from skills.streams import Kind, Made


def _json(random: Random, level: int) -> Made:
    stock = words()
    keys = random.sample(stock.things, 1 + (level + 1) // 2)
    told: list[str] = []
    value: dict[str, Any] = {}
    for key in keys:
        form = random.randrange(min(5, 1 + (level + 1) // 2))
        if form == 0:
            value[key] = random.randrange(1000)
            told.append(f"{key} {value[key]}")
        elif form == 1:
            value[key] = random.choice(stock.colours)
            told.append(f"{key} {value[key]}")
        elif form == 2:
            value[key] = random.random() < 0.5
            told.append(f"{key} {'true' if value[key] else 'false'}")
        elif form == 3:
            value[key] = random.sample(range(100), 2 + level // 5)
            told.append(f"{key} list of {joined(value[key])}")
        else:
            inner = {k: random.randrange(100) for k in random.sample(stock.holders, 2)}
            value[key] = inner
            told.append(f"{key} object with {joined([f'{k} {v}' for k, v in inner.items()], ' and ')}")
    text = joined(told, ", ")
    return Made(text, f"JSON object: {text}", json.dumps(value))


def _table(random: Random, level: int) -> Made:
    stock = words()
    columns = 2 + level // 4
    pools = [stock.names, stock.colours, stock.foods, stock.places]
    head = ["name", "colour", "food", "place"][:columns]
    rows = [[random.choice(pool) for pool in pools[:columns]] for _ in range(1 + (level + 1) // 2)]
    if level % 2 == 0:
        head.append("age")
        rows = [[*row, str(random.randrange(5, 95))] for row in rows]
    told = joined([joined(row, ", ") for row in [head, *rows]], "; ")
    lines = ["| " + joined(row, " | ") + " |" for row in [head, ["---"] * len(head), *rows]]
    return Made(told, f"Markdown table: {told}", "\n".join(lines))


_OPERATORS = (("plus", "+"), ("minus", "-"), ("times", "*"), ("floor-divided by", "//"), ("modulo", "%"))


def _code(random: Random, level: int) -> Made:
    stock = words()
    name = f"{random.choice(stock.verbs)}_{random.choice(stock.things)}"
    first, second = random.sample("abcknpqxyz", 2)
    parameters = [first] if level < 4 else [first, second]
    word, sign = random.choice(_OPERATORS[: 2 + level // 3])
    number = random.randint(2, 99)
    other = str(number) if level < 4 or random.random() < 0.4 else second
    head = f"def {name}({joined(parameters, ', ')}):"
    asked = f"{name}({joined(parameters, ', ')})"
    if level < 3:
        return Made(
            f"{head}{word}{other}",
            f"Python function {asked}: return {first} {word} {other}",
            f"{head}\n    return {first} {sign} {other}",
        )
    if level < 6:
        target = "result"
        body = f"    {target} = {first} {sign} {other}\n    return {target}"
        told = f"store {first} {word} {other} in {target} and return {target}"
    elif level < 8:
        bound = random.randint(2, 99)
        body = f"    if {first} > {bound}:\n        return {first} {sign} {other}\n    return {second}"
        told = f"if {first} is greater than {bound} return {first} {word} {other}, otherwise return {second}"
    else:
        bound = random.randint(2, 99)
        body = (
            f"    total = {bound}\n    for i in range({first}):\n"
            f"        total = total {sign} {second if other == second else other}\n    return total"
        )
        told = (
            f"start total at {bound}, for i in range({first}) set total to total {word} "
            f"{second if other == second else other}, and return total"
        )
    return Made(f"{head}{told}", f"Python function {asked}: {told}", f"{head}\n{body}")


def _list(random: Random, level: int) -> Made:
    stock = words()
    count = 2 + (level + 1) // 2
    items = random.sample(stock.things + stock.foods, count)
    text = joined(items, ", ")
    if level >= 6 and random.random() < 0.5:
        inner = [random.sample(stock.colours, 2) for _ in items[:3]]
        told = joined([f"{item} ({joined(subs, ', ')})" for item, subs in zip(items, inner, strict=False)], ", ")
        lines = [f"- {item}\n  - {joined(subs, chr(10) + '  - ')}" for item, subs in zip(items, inner, strict=False)]
        return Made(f"nested|{told}", f"Nested bullets: {told}", "\n".join(lines))
    if level >= 2 and random.random() < 0.5:
        start = 1 if level < 4 else random.randint(1, 20)
        name = "Numbered list" if start == 1 else f"Numbered list from {start}"
        lines = [f"{start + i}. {item}" for i, item in enumerate(items)]
        return Made(f"{name}|{text}", f"{name}: {text}", "\n".join(lines))
    return Made(f"bullets|{text}", f"Bullets: {text}", "\n".join(f"- {item}" for item in items))


_TEMPLATES = (
    ("{name} has a {colour} {thing}.", ("name", "colour", "thing")),
    ("Dear {name}, your {thing} is in the {place}.", ("name", "thing", "place")),
    ("{count} {things} for {name}, please.", ("count", "things", "name")),
    ("[{place}] {name}: {count} x {thing}", ("place", "name", "count", "thing")),
    ("To: {name}\nAbout: {thing}\nColour: {colour}", ("name", "thing", "colour")),
    ("<{thing} colour={colour} count={count}>{place}</{thing}>", ("thing", "colour", "count", "place")),
    ("{name} / {friend} / {count}\n{place}: {colour} {thing}", ("name", "friend", "count", "place", "colour", "thing")),
)


def _structured(random: Random, level: int) -> Made:
    stock = words()
    newest = min(1 + (2 * level) // 3, len(_TEMPLATES))
    template, slots = _TEMPLATES[random.randrange(newest)]
    values: dict[str, str] = {
        "name": random.choice(stock.names),
        "friend": random.choice(stock.names),
        "colour": random.choice(stock.colours),
        "thing": random.choice(stock.things),
        "things": with_s(random.choice(stock.things)),
        "place": random.choice(stock.places),
        "count": str(random.randrange(2, 100)),
    }
    given = list(slots)
    if level >= 3:
        random.shuffle(given)
    if level >= 6:
        # A value that the template has no room for.
        given.insert(random.randrange(len(given) + 1), random.choice([k for k in values if k not in slots]))
    told = joined([f"{slot}={values[slot]}" for slot in given], ", ")
    answer = template.format(**values)
    return Made(f"{template}|{told}", f"Fill in: {template}\n{told}", answer)


KINDS = (
    Kind("fmt_json", _json, score=json_score),
    Kind("fmt_table", _table, score=table_score),
    Kind("fmt_code", _code, score=code_score),
    Kind("fmt_list", _list, score=lines_score),
    Kind("fmt_structured", _structured, score=lines_score),
)
