"""The passes of a small Qwen3 hero by hand, for one CPU core.

The same function as transformers' Qwen3 with the same weights (tests compare every loss, gradient and answer); what differs is
the work: no autograd graph, buffers that are used again, documents side by side without padding, norm scales folded into the
matrices behind them, and in the last layer queries and feed-forward only where a token is trained.

Shapes: T slots (tokens of all documents, `engine.lean.rows`); H query heads and G key heads of D, A = H*D, K = G*D; C width;
F feed-forward; M places asked for in the last layer, N trained tokens.
"""

from engine.lean.decode import answers
from engine.lean.passes import LeanQwen3
from engine.lean.weights import MOST_PARAMETERS, supports

__all__ = ["MOST_PARAMETERS", "LeanQwen3", "answers", "supports"]
