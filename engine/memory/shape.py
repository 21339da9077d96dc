"""Counts of a decoder's weights, from its dimensions."""

from __future__ import annotations

from configs.errors import BlockedError
from configs.schema import Dimensions, HeroConfig
from configs.training import HeroTraining

HATCHLING_VOCABULARY = 512


def dimensions_of(hero: HeroConfig) -> Dimensions:
    """The figures of a hero's model.

    Raises:
        BlockedError: it is a loaded model whose YAML gives none.
    """
    shape = hero.model.shape
    if hero.model.dimensions is not None:
        return hero.model.dimensions
    if shape is None:
        raise BlockedError(
            f"nothing is known of the size of {hero.name}'s model",
            why="its YAML has no `model.dimensions`",
            fix=f"write the hero anew from its folder: `realm hero new ID --from {hero.model.path or 'FOLDER'}`",
            code="DIMENSIONS_UNKNOWN",
        )
    return Dimensions(
        hidden_size=shape.hidden_size,
        layers=shape.layers,
        heads=shape.heads,
        kv_heads=shape.heads,
        head_dim=shape.head_dim,
        intermediate_size=shape.intermediate_size,
        vocab_size=HATCHLING_VOCABULARY,
        tied=True,
        max_context=hero.model.context_length,
    )


def block_matrices(d: Dimensions) -> dict[str, tuple[int, int]]:
    """The linear layers of one block: name to (inputs, outputs)."""
    query, key = d.heads * d.head_dim, d.kv_heads * d.head_dim
    return {
        "q_proj": (d.hidden_size, query),
        "k_proj": (d.hidden_size, key),
        "v_proj": (d.hidden_size, key),
        "o_proj": (query, d.hidden_size),
        "gate_proj": (d.hidden_size, d.intermediate_size),
        "up_proj": (d.hidden_size, d.intermediate_size),
        "down_proj": (d.intermediate_size, d.hidden_size),
    }


def adapted_matrices(d: Dimensions, training: HeroTraining) -> list[tuple[int, int]]:
    """(inputs, outputs) of the linear layers of one block that get an adapter; fused ones count as one."""
    known = block_matrices(d)
    (h, q), (_, k), (_, i) = known["q_proj"], known["k_proj"], known["up_proj"]
    known |= {"qkv_proj": (h, q + 2 * k), "gate_up_proj": (h, 2 * i)}
    return [known[name] for name in training.adapter.target_modules if name in known]


def matrix_parameters(d: Dimensions) -> int:
    """Weights in the blocks' linear layers."""
    return d.layers * sum(a * b for a, b in block_matrices(d).values())


def outer_parameters(d: Dimensions) -> int:
    """Weights of embedding and head; a tied head counts once."""
    return d.vocab_size * d.hidden_size * (1 if d.tied else 2)


def parameters(d: Dimensions) -> int:
    """All weights, but biases and the norms of single heads."""
    return matrix_parameters(d) + outer_parameters(d) + (2 * d.layers + 1) * d.hidden_size


def adapter_parameters(d: Dimensions, training: HeroTraining) -> int:
    """Weights of the adapters; DoRA keeps a length for each output beside them."""
    r, dora = training.adapter.r, training.method == "dora"
    return d.layers * sum(r * (a + b) + (b if dora else 0) for a, b in adapted_matrices(d, training))


def trained_parameters(d: Dimensions, training: HeroTraining) -> int:
    """Weights that move."""
    return adapter_parameters(d, training) if training.adapted else parameters(d)
