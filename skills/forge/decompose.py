"""Takes an answer expression apart into the primitives of the catalogue that it exercises."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from skills.declared.expression import read

_CALLS: Mapping[str, str] = {
    "count": "attn_count",
    "digits": "digit_sum",
    "first": "seq_extract",
    "last": "seq_extract",
    "lower": "xfm_map",
    "max": "attn_compare",
    "min": "attn_compare",
    "product": "xfm_reduce",
    "reverse": "seq_reverse",
    "title": "xfm_map",
    "unique": "attn_filter",
    "upper": "xfm_map",
}
_OPERATORS: Mapping[type[ast.operator], str] = {
    ast.Add: "add_two_digit",
    ast.Sub: "sub_two_digit",
    ast.Mult: "mul_single_digit",
    ast.FloorDiv: "div_exact",
    ast.Mod: "modulo",
}
_ORDERS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)


def primitives_of(source: str, kinds: Mapping[str, str]) -> tuple[str, ...]:
    """Ids of the primitives in an expression, in order of name.

    Args:
        source: the expression.
        kinds: what each slot holds: ``int``, ``list``, ``word``.
    """
    found: set[str] = set()
    tree = read(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found |= _called(node.func.id, node.args, kinds)
        elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS and not _of_texts(node, kinds):
            found.add(_OPERATORS[type(node.op)])
        elif isinstance(node, ast.Compare):
            found |= _compared(node)
        elif isinstance(node, ast.Subscript):
            found.add("seq_extract")
    if "palindrome_check" in found:
        found -= {"seq_reverse", "xfm_map"}
    if "parity" in found:
        found -= {"modulo"}
    return tuple(sorted(found))


def _called(name: str, arguments: list[ast.expr], kinds: Mapping[str, str]) -> set[str]:
    of_word = bool(arguments) and isinstance(arguments[0], ast.Name) and kinds.get(arguments[0].id) == "word"
    of_digits = bool(arguments) and isinstance(arguments[0], ast.Call)
    if name == "sorted":
        return {"sort_letters" if of_word else "attn_rank"}
    if name == "len":
        return {"string_length" if of_word else "attn_count"}
    if name == "sum":
        return set() if of_digits else {"xfm_reduce"}
    return {_CALLS[name]} if name in _CALLS else set()


def _compared(node: ast.Compare) -> set[str]:
    sides = [node.left, *node.comparators]
    if any(isinstance(op, ast.In | ast.NotIn) for op in node.ops):
        return {"substring_check"}
    if any(isinstance(side, ast.Call) and "reverse(" in ast.unparse(side) for side in sides):
        return {"palindrome_check"}
    if any(ast.unparse(side).endswith("% 2") for side in sides):
        return {"parity"}
    return {"attn_compare"} if any(isinstance(op, _ORDERS) for op in node.ops) else set()


def _of_texts(node: ast.BinOp, kinds: Mapping[str, str]) -> bool:
    """Whether texts are put together rather than numbers added."""
    return any(
        (isinstance(part, ast.Constant) and isinstance(part.value, str))
        or (isinstance(part, ast.Name) and kinds.get(part.id) == "word")
        or (
            isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id in ("text", "join", "upper")
        )
        for part in ast.walk(node)
        if part is not node
    ) and isinstance(node.op, ast.Add)
