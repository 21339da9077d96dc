"""The hatchling's passes by hand, for one CPU core.

The same function as transformers' Qwen3 with the same weights (tests compare every loss, gradient and answer); what differs is
the work: no autograd graph, buffers that are used again, norm scales folded into the matrices behind them, and in the last
layer queries and feed-forward only where a token is trained.

Shapes: R rows of W tokens, T = R*W; H heads of D, A = H*D; C width; F feed-forward; Q queries a row in the last layer, M = R*Q.
"""

from engine.lean.decode import answers
from engine.lean.passes import LeanQwen3
from engine.lean.weights import supports

__all__ = ["LeanQwen3", "answers", "supports"]
