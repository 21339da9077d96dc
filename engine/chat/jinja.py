"""A turn format as the template that other programs read; rendered from the same data, so that both say the same."""

from __future__ import annotations

import json
import re

from configs.turn_format import Turn, TurnFormat


def chat_template(form: TurnFormat, *, thinking: bool) -> str:
    """The Jinja text for a tokenizer's ``chat_template``: no default system turn, no injected thinking.

    Args:
        form: the turn format.
        thinking: thoughts that stand apart (``reasoning_content``) are written before their answers.
    """
    merge, fold = form.tools.merge, form.system is None
    lines = []
    if fold:
        lines.append("{%- set ns = namespace(system=none) -%}")
    if form.begin:
        lines.append(_out(_quoted(form.begin)))
    lines.append("{%- for message in messages -%}")
    if fold:
        joined = f"ns.system + {_quoted(chr(10))} + message['content']"
        lines.append("{%- if message['role'] == 'system' -%}")
        lines.append(f"{{%- set ns.system = message['content'] if ns.system is none else {joined} -%}}")
        lines.append("{%- else -%}")
        lines.append("{%- if ns.system is not none and message['role'] != 'user' -%}")
        lines.append(_turn(form.user, "ns.system"))
        lines.append("{%- set ns.system = none -%}{%- endif -%}")
    elif form.system is not None:
        lines.append("{%- if message['role'] == 'system' -%}" + _turn(form.system, "message['content']"))
        lines.append("{%- endif -%}")
    lines.append("{%- if message['role'] == 'user' -%}")
    if fold:
        words = f"(ns.system + {_quoted(form.system_join)} if ns.system is not none else '') + message['content']"
        lines.append(_turn(form.user, words) + "{%- set ns.system = none -%}")
    else:
        lines.append(_turn(form.user, "message['content']"))
    lines.append("{%- elif message['role'] == 'assistant' -%}" + _answer(form, thinking))
    lines.append("{%- elif message['role'] == 'tool' -%}" + _result(form, merge))
    lines.append("{%- endif -%}")
    if fold:
        lines.append("{%- endif -%}")
    lines.append("{%- endfor -%}")
    if fold:
        lines.append("{%- if ns.system is not none -%}" + _turn(form.user, "ns.system") + "{%- endif -%}")
    if form.assistant.header:
        lines.append(f"{{%- if add_generation_prompt -%}}{_out(_quoted(form.assistant.header))}{{%- endif -%}}")
    return "".join(lines)


def _answer(form: TurnFormat, thinking: bool) -> str:
    tools, turn = form.tools, form.assistant
    words = "(message['content'] or '')"
    parts = [_out(_quoted(turn.header)) if turn.header else ""]
    if turn.lead:
        first = _starts_with_mark(form, tools.open or tools.call)
        when = f"{words} or not message.tool_calls" if first else "true"
        parts.append(f"{{%- if {when} -%}}{_out(_quoted(turn.lead))}{{%- endif -%}}")
    if thinking:
        shown = f"{_quoted(form.think_open)} + message.reasoning_content + {_quoted(form.think_close)}"
        parts.append("{%- if message.reasoning_content -%}" + _out(shown) + "{%- endif -%}")
    parts.append(_out(words))
    parts.append("{%- if message.tool_calls -%}")
    if tools.behind_words:
        parts.append(f"{{%- if {words} -%}}{_out(_quoted(tools.behind_words))}{{%- endif -%}}")
    parts.append(_out(_quoted(tools.open)) if tools.open else "")
    parts.append("{%- for call in message.tool_calls -%}{%- set made = call.function or call -%}")
    parts.append("{%- set given = made.arguments if made.arguments is string else made.arguments | tojson -%}")
    parts.append(f"{{%- if not loop.first -%}}{_out(_quoted(tools.join))}{{%- endif -%}}")
    whole = _filled('{{"name": {name}, "arguments": {arguments}}}', _CALL)
    parts.append(_out(_filled(tools.call, {**_CALL, "call": f"({whole})"})))
    parts.append("{%- endfor -%}")
    parts.append(_out(_quoted(tools.close)) if tools.close else "")
    parts.append("{%- endif -%}" + _out(_quoted(turn.end + turn.after)))
    return "".join(parts)


_CALL = {"name": "(made.name | tojson)", "arguments": "given"}


def _result(form: TurnFormat, merge: bool) -> str:
    turn, words = form.tool, "(message['content'] or '')"
    shown = _out(_filled(form.tools.result, {"content": words, "quoted": f"({words} | tojson)"}))
    if not merge:
        return _out(_quoted(turn.header)) + shown + _out(_quoted(turn.end + turn.after))
    first = "loop.first or loop.previtem['role'] != 'tool'"
    last = "loop.last or loop.nextitem['role'] != 'tool'"
    return (
        f"{{%- if {first} -%}}{_out(_quoted(turn.header))}{{%- else -%}}{_out(_quoted(chr(10)))}{{%- endif -%}}{shown}"
        f"{{%- if {last} -%}}{_out(_quoted(turn.end + turn.after))}{{%- endif -%}}"
    )


def _turn(turn: Turn, words: str) -> str:
    lead = f" + {_quoted(turn.lead)}" if turn.lead else ""
    return _out(f"{_quoted(turn.header)}{lead} + {words} + {_quoted(turn.end + turn.after)}")


def _filled(pattern: str, values: dict[str, str]) -> str:
    """``pattern`` with its ``{names}`` replaced, as a Jinja expression."""
    parts = []
    for number, piece in enumerate(re.split(r"\{(\w+)\}", pattern)):
        if number % 2:
            parts.append(values[piece])
        elif piece:
            parts.append(_quoted(piece.replace("{{", "{").replace("}}", "}")))
    return " + ".join(parts)


def _starts_with_mark(form: TurnFormat, text: str) -> bool:
    return any(text.startswith(mark) for mark in (*form.marks, *form.optional_marks))


def _out(expression: str) -> str:
    return "{{- " + expression + " -}}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
