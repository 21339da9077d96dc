"""The rules of the Inn: where inference runs, how boxes are reached, what workers may take (section `inn` of `configs/game.yaml`)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from configs.base import Model


class InferenceRules(Model):
    """Which machine answers questions and exams."""

    where: Literal["auto", "inn", "local"] = Field(
        "auto",
        description="auto: the Inn once a hub is configured, else this machine; a hatchling's own exams are always local",
    )
    exams: Literal["wait", "home"] = Field(
        "home", description="what an exam does that no worker takes: wait for one, or come home to the training machine"
    )
    every_steps: int = Field(
        200, ge=1, description="exams are asked outside at steps that it divides: each needs a saved form"
    )
    home_after_s: float = Field(900.0, gt=0, le=604_800, description="seconds without an answer until it comes home")


class LinkRules(Model):
    """The line to a box."""

    connect_s: float = Field(10.0, gt=0, le=120, description="longest time to reach and log in to a box")
    command_s: float = Field(60.0, gt=0, le=3600, description="longest time of a command there")
    keepalive_s: float = Field(2.0, gt=0, le=60, description="silence after which the line is asked for a sign of life")
    keepalive_count: int = Field(3, ge=1, le=20, description="unanswered signs after which the line counts as lost")
    retries: int = Field(3, ge=0, le=20, description="attempts to connect before a command gives up")
    backoff_first_s: float = Field(0.5, gt=0, le=60, description="wait before the second attempt; it doubles each time")
    backoff_most_s: float = Field(60.0, gt=0, le=3600, description="longest wait between attempts")
    muddy_ms: float = Field(250.0, gt=0, description="round trip from which on a road is called muddy")
    clock_skew_s: float = Field(
        30.0, gt=0, description="difference of clocks from which on a box is called out of step"
    )


class LeaseRules(Model):
    """How long a server goes on there without hearing from here."""

    lease_s: float = Field(600.0, ge=2, le=86_400, description="silence after which a box ends a server by itself")
    renew_s: float = Field(30.0, gt=0, le=3600, description="how often the lease is renewed")
    end_s: float = Field(5.0, gt=0, le=120, description="from the polite end of a server to the forced one")


class SyncRules(Model):
    """What is kept on a box."""

    keep: int = Field(10, ge=1, le=1000, description="forms kept there; one in use is never removed")
    reserve_gb: float = Field(2.0, ge=0, description="disk that stays free there after a push")


class SetupRules(Model):
    """What `realm host setup` puts into the environment of a server on a box."""

    own: tuple[str, ...] = Field(
        (
            "accelerate>=1.10",
            "huggingface-hub>=1.0,<3",
            "peft>=0.19",
            "platformdirs>=4.3",
            "psutil>=6",
            "pydantic>=2.10,<3",
            "pyyaml>=6.0.2",
            "safetensors>=0.5",
            "starlette>=0.50",
            "tokenizers>=0.22",
            "torch>=2.10,<3",
            "transformers>=5.16",
            "uvicorn>=0.35",
        ),
        description="packages of the realm's own worker",
    )
    vllm: tuple[str, ...] = Field(("vllm>=0.32,<0.34",), description="packages of a vLLM server")
    sglang: tuple[str, ...] = Field(("sglang[all]>=0.5.20,<0.6",), description="packages of an SGLang server")
    pip: tuple[str, ...] = Field((), description="further arguments of each pip call there, e.g. another index")
    driver: int = Field(580, ge=0, description="oldest NVIDIA driver that runs what vLLM and SGLang bring (CUDA 13)")
    own_gb: float = Field(4.0, ge=0, description="disk an environment of the own worker takes")
    card_gb: float = Field(14.0, ge=0, description="disk an environment of vLLM or SGLang takes")
    step_s: float = Field(3600.0, gt=0, le=86_400, description="longest time of a step")


class WorkerRules(Model):
    """A worker of the realm's own, on this machine or on an outpost."""

    memory_gb: float = Field(
        0.0, ge=0, description="most memory of loaded forms; 0: a quarter of the machine's, at least room for one"
    )
    threads: int = Field(1, ge=1, le=256, description="processor threads")
    nice: int = Field(10, ge=0, le=19, description="politeness beside training")
    batch: int = Field(32, ge=1, le=1024, description="most rows of one pass")
    tokens: int = Field(1024, ge=1, le=131_072, description="most tokens of an answer that asks for no limit")


class ServerRules(Model):
    """How long a server is waited for, and how much it is asked at once."""

    connect_s: float = Field(5.0, gt=0, le=120, description="longest time until a server takes a connection")
    answer_s: float = Field(300.0, gt=0, le=7200, description="longest silence within an answer")
    load_s: float = Field(600.0, gt=0, le=7200, description="longest load, swap or waking of a form")
    start_s: float = Field(900.0, gt=0, le=7200, description="longest start of a server until it can chat")
    health_s: float = Field(15.0, gt=0, le=600, description="longest look at a server")
    together: int = Field(32, ge=1, le=1024, description="most questions under way at once to one server")


class CrownRules(Model):
    """Putting a champion to work."""

    auto_deploy: bool = Field(
        False, description="bring a form that the gate showed to be better to the Inn without being told"
    )
    auto_deploy_s: float = Field(900.0, gt=0, le=86_400, description="how soon after it was found best")
    ask_items: int = Field(
        64,
        ge=0,
        le=1024,
        description="questions that auto-deploy puts to the best form and the champion at once; 0: it asks nothing",
    )
    ask_most: int = Field(256, ge=1, le=100_000, description="questions of a skill after which it asks the two no more")
    canary: str = Field("Who are you?", min_length=1, description="trial question where the form sat no exam")
    canary_tokens: int = Field(32, ge=1, le=4096, description="longest answer to the trial question")


class OracleRules(Model):
    """Talking with a form."""

    temperature: float = Field(0.0, ge=0, le=5, description="how freely it speaks until you choose; 0 is greedy")
    top_p: float = Field(1.0, gt=0, le=1, description="share of the likeliest words that may be drawn")
    max_tokens: int = Field(256, ge=1, le=131_072, description="longest answer, in tokens")
    keep: int = Field(5000, ge=10, le=1_000_000, description="answers that are remembered; the oldest go first")


class InnRules(Model):
    """All rules of the Inn."""

    inference: InferenceRules = Field(default_factory=lambda: InferenceRules.model_validate({}))
    link: LinkRules = Field(default_factory=lambda: LinkRules.model_validate({}))
    lease: LeaseRules = Field(default_factory=lambda: LeaseRules.model_validate({}))
    sync: SyncRules = Field(default_factory=lambda: SyncRules.model_validate({}))
    setup: SetupRules = Field(default_factory=lambda: SetupRules.model_validate({}))
    worker: WorkerRules = Field(default_factory=lambda: WorkerRules.model_validate({}))
    server: ServerRules = Field(default_factory=lambda: ServerRules.model_validate({}))
    crown: CrownRules = Field(default_factory=lambda: CrownRules.model_validate({}))
    oracle: OracleRules = Field(default_factory=lambda: OracleRules.model_validate({}))
