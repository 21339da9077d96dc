"""The same names as `engine.chat`."""

from engine.chat.encoded import Encoded, Message
from engine.chat.template import (
    Template,
    answer_text,
    decode,
    encode_messages,
    encode_prompt,
    encode_text,
    tokens_as_text,
    with_system,
)

__all__ = [
    "Encoded",
    "Message",
    "Template",
    "answer_text",
    "decode",
    "encode_messages",
    "encode_prompt",
    "encode_text",
    "tokens_as_text",
    "with_system",
]
