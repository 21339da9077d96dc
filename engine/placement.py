"""The one place that decides device, precision, threads, matmul mode and attention."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

import torch

from configs.errors import BlockedError, RealmError
from configs.loader import load_game
from configs.schema import EngineRules, HeroConfig, MemoryRules
from engine.attention import has_varlen
from engine.hero.checkpointing import ALL
from engine.kernels import choose_kernels
from engine.lean import MOST_PARAMETERS
from engine.memory.calibration import machine_key, measured_on, ratio_of
from engine.memory.plan import plan, precision
from engine.memory.shape import dimensions_of
from engine.optim.working import Rounding

_TINY_PARAMETERS_B = 0.003
"""Below this many billions of parameters a second thread costs more than it brings."""
_LARGE_B = 0.6
"""From this many billions of parameters on activations are computed twice on a card, unless the YAML says otherwise."""
_CLEARLY_FASTER = 1.25


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and how a hero computes; recorded once per campaign, so that a resumed run computes the same."""

    device: str
    """``cpu``, ``cuda`` or ``mps``."""
    weights: str
    """dtype of the weights: ``float32`` or ``bfloat16``."""
    compute: str
    """dtype of the layers' arithmetic: ``float32``, or ``bfloat16`` (autocast where the weights are fp32)."""
    matmul: str
    """float32 matmul precision while training: ``highest``, ``high`` or ``medium``. Exams always use ``highest``."""
    kernel: str
    """``lean``: the passes by hand for small Qwen3 heroes (engine.lean); ``model``: transformers' own modules."""
    half_orthogonal: bool
    """Muon orthogonalises in bf16, because that is faster here than fp32."""
    attention: str
    """``eager`` for short rows on a CPU, ``varlen`` on a card that has it, else ``sdpa`` (see `engine.attention`)."""
    row_tokens: int | None
    """Examples are packed into rows of about this many tokens; None: one row for each pass."""
    threads: int
    """CPU threads."""
    torch_version: str
    checkpointed_blocks: int = 0
    """Blocks whose activations are computed twice; -1: all."""
    rounding: Rounding = "none"
    """How updates reach bf16 weights (see `engine.optim.working`)."""
    pass_tokens: int | None = None
    """Most tokens of a forward pass that the memory plan allows; None: as the hero's YAML says."""
    kernels: str = "own"
    """Whose norms and feed-forward products run: ``own`` or ``liger`` (see `engine.kernels`)."""

    def as_dict(self) -> dict[str, Any]:
        """The JSON form that a campaign records."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Placement:
        """The placement an earlier run recorded; `RealmError` when a field is missing or unknown."""
        known = {f.name: f for f in fields(cls)}
        needed = {name for name, f in known.items() if f.default is MISSING}
        if not needed <= set(data) <= set(known):
            raise RealmError(
                "the recorded placement of this campaign cannot be read",
                why=f"its fields are {', '.join(sorted(data)) or 'missing'}",
                fix="start a new campaign, or restore the save from a backup",
                code="PLACEMENT_INVALID",
            )
        return cls(**data)

    @property
    def exact_with(self) -> str:
        """What must stay the same for an exact resume, as one comparable string."""
        return "|".join(str(v) for v in self.as_dict().values())

    @property
    def weights_dtype(self) -> torch.dtype:
        """The weights' torch dtype."""
        return torch.bfloat16 if self.weights == "bfloat16" else torch.float32

    def apply(self) -> None:
        """Set the process up: threads and the training matmul mode."""
        torch.set_num_threads(self.threads)
        torch.set_float32_matmul_precision(self.matmul)

    def autocast(self, *, adapted: bool = False) -> AbstractContextManager[Any]:
        """The context in which forward passes run; fp32 adapters beside a bf16 base need it too (``adapted``)."""
        if self.compute == "bfloat16" and (adapted or self.weights == "float32"):
            return torch.autocast(self.device, torch.bfloat16)
        return nullcontext()


def choose(
    hero: HeroConfig,
    rules: EngineRules,
    recorded: Mapping[str, Any] | None = None,
    memory: MemoryRules | None = None,
) -> Placement:
    """The placement for ``hero`` on this machine.

    Args:
        hero: its size, precision and threads count.
        rules: the device the player asked for.
        recorded: what an earlier run of the campaign used; taken as it is, without probing, while its device is there.
        memory: what the memory plan takes for granted; None: the shipped rules.

    Raises:
        BlockedError: the device that was asked for, or recorded, is not here.
    """
    if recorded is not None:
        placement = Placement.from_dict(recorded)
        _require(placement.device, "this campaign trains on")
        return placement
    device = _device(rules)
    hatchling = hero.model.source == "hatchling"
    threads = hero.training.threads or _threads(hero)
    weights, compute, twice, pass_tokens = _fitting(hero, device, memory or load_game().memory)
    attention = _attention(device, compute, hatchling=hatchling)
    return Placement(
        device=device,
        weights=weights,
        compute=compute,
        matmul=_matmul(device, compute, hero.training.precision),
        kernel=_kernel(hero, device, weights, compute),
        half_orthogonal=_half_is_faster(device),
        attention=attention,
        row_tokens=None if attention in ("varlen", "documents") else 64 if device == "cpu" else 512,
        threads=threads,
        torch_version=torch.__version__,
        checkpointed_blocks=twice,
        rounding=_rounding(hero, weights),
        kernels=choose_kernels(device, hero.model.dimensions.hidden_size if hero.model.dimensions else None),
        pass_tokens=pass_tokens,
    )


def _kernel(hero: HeroConfig, device: str, weights: str, compute: str) -> str:
    """The passes by hand for small Qwen3 heroes in fp32 on a CPU, all of whose weights learn and nothing is computed twice."""
    training = hero.training
    fits = hero.model.family == "qwen3" and hero.model.size_b * 1e9 <= MOST_PARAMETERS
    plain = not training.adapted and training.gradient_checkpointing in (False, "auto") and training.update == "step"
    return "lean" if fits and plain and (device, weights, compute) == ("cpu", "float32", "float32") else "model"


def _device(rules: EngineRules) -> str:
    if rules.device != "auto":
        _require(rules.device, "the configuration asks for")
        return rules.device
    if torch.cuda.is_available():
        return "cuda"
    return "cpu"


def _require(device: str, who: str) -> None:
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not here.get(device, False):
        raise BlockedError(
            f"{who} {device!r}, which is not available here",
            why="torch sees no such device",
            fix="set engine.device to cpu, or start on the machine that has it",
            code="DEVICE_MISSING",
        )


def _attention(device: str, compute: str, *, hatchling: bool) -> str:
    if device == "cuda" and compute == "bfloat16" and has_varlen():
        return "varlen"
    return "eager" if device == "cpu" and hatchling else "sdpa"


def _fitting(hero: HeroConfig, device: str, memory: MemoryRules) -> tuple[str, str, int, int | None]:
    """dtypes of weights and arithmetic, blocks whose activations are computed twice, and tokens of a pass, so that it fits.

    On a CPU, and for a model of unknown dimensions, the YAML is taken as it is.
    """
    room = card_memory() if device == "cuda" else None
    wanted = hero.training.gradient_checkpointing
    if room is None or (hero.model.dimensions is None and hero.model.shape is None):
        weights, compute = precision(hero.training, hero.model.size_b, device, room, memory)
        large = device == "cuda" and hero.model.size_b >= _LARGE_B
        asked = large if wanted == "auto" else wanted
        return weights, compute, ALL if asked is True else int(asked), None
    machine = machine_key(torch.cuda.get_device_name(), torch.cuda.mem_get_info()[1])
    ratio = ratio_of(measured_on(machine, hero.training), memory)
    made = plan(dimensions_of(hero), hero.training, room, memory, context=hero.model.context_length, ratio=ratio)
    chosen = made.setting
    return chosen.weights, chosen.compute, chosen.checkpointed, chosen.tokens if made.passes_more > 1 else None


def card_memory() -> int:
    """Bytes of the card that this process may use: what is free now, within the share it is allowed."""
    free, total = torch.cuda.mem_get_info()
    allowed = getattr(torch.cuda, "get_per_process_memory_fraction", lambda: 1.0)()
    return min(int(total * allowed), free)


def _threads(hero: HeroConfig) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if hero.model.size_b < _TINY_PARAMETERS_B:
        return 1
    return max(1, min(cores - 1, 8)) if cores > 2 else cores


def _rounding(hero: HeroConfig, weights: str) -> Rounding:
    """How updates reach the weights: where bf16 was not asked for but needed, small updates must not be lost."""
    wanted = hero.training.weights
    if weights == "float32" or hero.training.adapted or wanted == "bfloat16":
        return "none"
    return "master" if wanted == "bfloat16_master" else "stochastic"


def _matmul(device: str, compute: str, wanted: str) -> str:
    """The mode of fp32 products.

    On a CPU "medium" may mean bf16 factors with fp32 sums, or true fp32 from another library. It is taken where it is
    exact, and, unless fp32 was asked for, where it is clearly faster: learning was measured to be the same.
    """
    if device != "cpu":
        return "highest" if compute == "float32" else "high"
    exact, speedup = _medium()
    return "medium" if exact or (wanted != "float32" and speedup > _CLEARLY_FASTER) else "highest"


def _medium() -> tuple[bool, float]:
    """Whether "medium" products are as exact as "highest" ones here, and how much faster they are."""
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(1024, 96, generator=generator)
    b = torch.randn(96, 288, generator=generator)
    true = a.double() @ b.double()
    before = torch.get_float32_matmul_precision()
    seconds: dict[str, float] = {}
    try:
        for mode in ("highest", "medium"):
            torch.set_float32_matmul_precision(mode)
            error = float(((a @ b).double() - true).abs().max())
            seconds[mode] = _seconds(lambda: a @ b)
    finally:
        torch.set_float32_matmul_precision(before)
    return error < 1e-3, seconds["highest"] / seconds["medium"]


def _seconds(work: Callable[[], object]) -> float:
    """The best of some short runs of ``work``."""
    best = float("inf")
    for _ in range(12):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def _half_is_faster(device: str) -> bool:
    """Whether products of small matrices are clearly faster in bf16 than in fp32."""
    whole = torch.ones(16, 96, 96, device=device)
    half = whole.bfloat16()

    def product(stack: torch.Tensor) -> None:
        torch.bmm(stack, stack)
        if device == "cuda":
            torch.cuda.synchronize()

    return _seconds(lambda: product(whole)) > _CLEARLY_FASTER * _seconds(lambda: product(half))
