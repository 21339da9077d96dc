"""The hatchling's tokenizer: every byte, the ChatML marks, roles, and the skills' own words as single tokens."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from configs.errors import RealmError

END_OF_TEXT = "<|endoftext|>"
START_OF_TURN = "<|im_start|>"
END_OF_TURN = "<|im_end|>"
ROLES = ("system", "user", "assistant")
VOCABULARY = 320
"""Rows of the embedding; ids past the last token are never produced by the tokenizer."""


def byte_alphabet() -> list[str]:
    """The 256 characters that stand for bytes 0-255 in a byte-level vocabulary."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    signs = {byte: chr(byte) for byte in printable}
    for offset, byte in enumerate(b for b in range(256) if b not in signs):
        signs[byte] = chr(256 + offset)
    return [signs[byte] for byte in range(256)]


def build_hatchling_tokenizer(special: Sequence[str]) -> Tokenizer:
    """A tokenizer without merges: id = byte value below 256, then the marks, the roles and ``special``.

    Any UTF-8 text survives encode and decode unchanged, because what is not a token of its own falls back to bytes.

    Args:
        special: strings that become one token each, e.g. digits and operation names.

    Raises:
        RealmError: more tokens than the vocabulary holds.
    """
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(byte_alphabet())}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in (END_OF_TEXT, START_OF_TURN, END_OF_TURN)])
    words = list(dict.fromkeys([*ROLES, *special]))
    tokenizer.add_tokens([AddedToken(w, normalized=False, special=False) for w in words])
    size = tokenizer.get_vocab_size()
    if size > VOCABULARY:
        raise RealmError(
            f"the hatchling's vocabulary would need {size} tokens and holds {VOCABULARY}",
            why="its skills bring too many words of their own",
            fix="give the hatchling fewer skills",
            code="VOCABULARY_FULL",
        )
    return tokenizer
