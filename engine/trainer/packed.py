"""Reads packed batches back into examples, to see that they train what they should."""

from __future__ import annotations

from collections.abc import Iterable

from engine.batch import Batch
from engine.chat.encoded import Encoded, TurnMarks
from engine.quests.masking import MaskCheck, MaskReport


def inspect_batches(batches: Iterable[Batch], marks: TurnMarks, *, conversations: bool) -> MaskReport:
    """The mask checks over what a step is about to train, as it lies in the rows.

    Args:
        batches: the passes of one optimizer step, on the CPU.
        marks: how answers are found among the tokens.
        conversations: False where raw texts are among them: then only the labels' places are checked.
    """
    check = MaskCheck(marks, sample=True)
    for number, batch in enumerate(batches, start=1):
        examples, aligned = read_back(batch)
        if not aligned:
            check.shifted(f"pass {number}")
        for place, example in enumerate(examples, start=1):
            if conversations:
                check.add(example, f"pass {number}, example {place}")
    return check.report()


def read_back(batch: Batch) -> tuple[list[Encoded], bool]:
    """The examples of a batch in the order of its rows, and whether every label is the token that follows in its example."""
    rows, width = batch.input_ids.shape
    ids, segments = batch.input_ids.flatten().tolist(), batch.segments.flatten().tolist()
    trained = [False] * (rows * width)
    aligned = True
    count = batch.trained_tokens
    for source, target in zip(batch.sources[:count].tolist(), batch.targets[:count].tolist(), strict=True):
        place = source + 1
        inside = 0 < place < len(ids) and place % width and segments[source] == segments[place] != 0
        if not inside or ids[place] != target or trained[place]:
            aligned = False
        else:
            trained[place] = True
    examples: list[Encoded] = []
    for row in range(rows):
        start = row * width
        while start < (row + 1) * width:
            segment = segments[start]
            stop = next((i for i in range(start, (row + 1) * width) if segments[i] != segment), (row + 1) * width)
            if segment:
                examples.append(Encoded(ids[start:stop], trained[start:stop]))
            start = stop
    return examples, aligned and len(examples) == batch.examples
