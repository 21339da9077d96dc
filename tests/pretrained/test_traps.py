"""What goes wrong when pretrained models are fine-tuned elsewhere, proved not to go wrong here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

from configs.errors import RealmError
from configs.loader import load_game
from engine.batch import make_batch
from engine.chat.encoded import Encoded, Message
from engine.chat.template import decode, encode_messages, encode_prompt, encode_text
from engine.generate import greedy
from engine.hero.loading import load_folder, load_pretrained
from engine.hero.model import Hero, save_folder
from engine.placement import Placement, choose
from engine.step import StepLoop, batch_loss, hidden_states
from tests.pretrained.standin import hero_on, make_folder

PLACEMENT = Placement(
    device="cpu",
    weights="float32",
    compute="float32",
    matmul="highest",
    kernel="model",
    half_orthogonal=False,
    attention="sdpa",
    row_tokens=64,
    threads=1,
    torch_version=torch.__version__,
)

THOUGHTFUL: list[Message] = [
    {"role": "system", "content": "Today is 2026-01-01."},
    {"role": "user", "content": "Compute: add(①⓪, ⓪①)"},
    {"role": "assistant", "content": "<think>\ncolumns, from the right\n</think>\n\n⓪①①"},
    {"role": "user", "content": "And twice that?"},
    {"role": "assistant", "content": "<think>\n\n</think>\n\n①①⓪"},
    {"role": "user", "content": "Thanks"},
    {"role": "assistant", "content": "Any time."},
]


@pytest.fixture
def hero(folder: Path) -> Hero:
    return load_pretrained(hero_on(folder), PLACEMENT)


def spans(encoded: Encoded) -> list[list[int]]:
    """Ids of each unbroken stretch of trained tokens."""
    found: list[list[int]] = []
    before = False
    for token, trained in zip(encoded.ids, encoded.trained, strict=True):
        if trained and not before:
            found.append([])
        if trained:
            found[-1].append(token)
        before = trained
    return found


def test_one_document_of_a_row_never_sees_another(hero: Hero) -> None:
    """Other neighbours, same states to the bit; positions start anew with each document."""
    fixed = encode_messages(hero, THOUGHTFUL[:3])
    others = [encode_text(hero, "a word " * n + "and its end") for n in (4, 4)]
    others[1] = replace(others[1], ids=[(i + 7) % 250 for i in others[1].ids])
    states = []
    for other in others:
        batch = make_batch([fixed, other], row_tokens=256)
        assert batch.input_ids.shape[0] == 1
        states.append(hidden_states(hero, batch, PLACEMENT)[: fixed.trained_tokens])
        starts = batch.positions[0][: len(fixed.ids) + len(other.ids)] == 0
        assert starts.nonzero().flatten().tolist() == [0, len(fixed.ids)]
    assert torch.equal(states[0], states[1])


def test_the_first_token_of_a_document_is_not_predicted_from_the_document_before(hero: Hero) -> None:
    documents = [encode_text(hero, text) for text in ("first of all", "then this", "and last")]
    batch = make_batch(documents, row_tokens=256)
    assert batch.trained_tokens == sum(len(d.ids) - 1 for d in documents)
    starts = (batch.positions == 0).flatten().nonzero().flatten().tolist()
    predicted = {source + 1 for source in batch.sources[: batch.trained_tokens].tolist()}
    assert not predicted & set(starts)


@pytest.mark.parametrize("pad", ["<|im_end|>", None])
def test_trap_06_a_tokenizer_that_pads_with_its_end_token_still_learns_to_stop(tmp_path: Path, pad: str | None) -> None:
    hero = load_pretrained(hero_on(make_folder(tmp_path / "model", pad=pad), warmup_steps=0), PLACEMENT)
    end = hero.tokenizer.convert_tokens_to_ids("<|im_end|>")
    messages: list[Message] = [{"role": "user", "content": "Say it"}, {"role": "assistant", "content": "It."}]
    encoded = encode_messages(hero, messages)
    assert encoded.ids[-1] == end and encoded.trained[-1]
    batch = make_batch([encoded])
    assert end in batch.targets[: batch.trained_tokens].tolist()
    loop = StepLoop(hero, PLACEMENT)
    for _ in range(40):
        loop.train([batch])
    with loop.examined():
        (answer,) = greedy(hero, [encode_prompt(hero, messages[:1])], 30)
    assert decode(hero, answer) == "It."
    save_folder(hero, hero.weights(), tmp_path / "out")
    config = json.loads((tmp_path / "out" / "generation_config.json").read_text())
    assert config["pad_token_id"] != end and end in config["eos_token_id"]


def test_trap_07_the_end_of_turn_stops_generation_where_the_tokenizers_own_end_is_another(tmp_path: Path) -> None:
    """A base model: its tokenizer and its generation config name <|endoftext|> alone."""
    hero = load_pretrained(hero_on(make_folder(tmp_path / "model", eos="<|endoftext|>")), PLACEMENT)
    assert hero.tokenizer.eos_token == "<|endoftext|>"
    ends = {span[-1] for span in spans(encode_messages(hero, THOUGHTFUL))}
    ends |= {encode_text(hero, "a raw text").ids[-1]}
    save_folder(hero, hero.weights(), tmp_path / "out")
    config = json.loads((tmp_path / "out" / "generation_config.json").read_text())
    assert set(config["eos_token_id"]) == set(hero.stop_ids) == ends
    assert config["do_sample"] is False and "temperature" not in config


def test_trap_08_thinking_in_earlier_turns_stays_and_the_mask_with_it(hero: Hero, folder: Path) -> None:
    """Turn by turn and whole give the same ids; the model's own template drops and injects, ours does neither."""
    theirs = AutoTokenizer.from_pretrained(folder).apply_chat_template(THOUGHTFUL, tokenize=False)
    assert "columns, from the right" not in theirs and theirs.count("<think>") == 1
    whole = encode_messages(hero, THOUGHTFUL)
    answers = [m["content"] for m in THOUGHTFUL if m["role"] == "assistant"]
    assert [decode(hero, span) for span in spans(whole)] == [f"{a}<|im_end|>" for a in answers]
    for turns in (2, 4, 6):
        prompt = encode_prompt(hero, THOUGHTFUL[:turns])
        assert whole.ids[: len(prompt)] == prompt
        assert not any(whole.trained[len(prompt) - 3 : len(prompt)]) and whole.trained[len(prompt)]
        assert encode_messages(hero, THOUGHTFUL[: turns + 1]).ids == whole.ids[: len(prompt) + _length(hero, turns)]
    assert decode(hero, encode_prompt(hero, THOUGHTFUL[:2])).endswith("<|im_start|>assistant\n")


def _length(hero: Hero, turn: int) -> int:
    return len(hero.template.plain(THOUGHTFUL[turn]["content"])) + 1


def test_trap_09_prompt_and_answer_make_the_tokens_of_the_joined_text(hero: Hero) -> None:
    """As any other tool would tokenise the rendered conversation with the exported tokenizer."""
    rendered = hero.tokenizer.apply_chat_template(THOUGHTFUL, tokenize=False)
    assert hero.tokenizer(rendered, add_special_tokens=False)["input_ids"] == [
        *encode_messages(hero, THOUGHTFUL).ids,
        *hero.template.plain("\n"),
    ]
    answer = [*hero.template.plain(THOUGHTFUL[2]["content"]), hero.template.end]
    assert encode_prompt(hero, THOUGHTFUL[:2]) + answer == encode_messages(hero, THOUGHTFUL[:3]).ids


@pytest.mark.parametrize("tied", [True, False])
def test_tied_embeddings_stay_one_tensor_and_untied_ones_two(tmp_path: Path, tied: bool) -> None:
    hero = load_pretrained(hero_on(make_folder(tmp_path / "model", tied=tied)), PLACEMENT)
    loop = StepLoop(hero, PLACEMENT)
    batch = make_batch([encode_messages(hero, THOUGHTFUL)])
    for _ in range(3):
        loop.train([batch])
    save_folder(hero, loop.exam_weights(), tmp_path / "out")
    with safe_open(tmp_path / "out" / "model.safetensors", "pt") as file:
        assert ("lm_head.weight" in file.keys()) is not tied  # noqa: SIM118
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()
    again = load_folder(hero.config, tmp_path / "out", PLACEMENT)
    again.model.eval()
    for model in (plain, again.model):
        assert (model.lm_head.weight is model.model.embed_tokens.weight) is tied
        assert plain.config.tie_word_embeddings is tied
    ids = torch.tensor([encode_prompt(hero, THOUGHTFUL[:2])])
    with torch.no_grad(), loop.examined():
        trained = hero.model(ids).logits
        assert torch.equal(plain(ids).logits, trained)
        assert torch.equal(again.model(ids).logits, trained)


def test_the_exported_tokenizer_and_template_read_as_ours(hero: Hero, tmp_path: Path) -> None:
    save_folder(hero, hero.weights(), tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.chat_template == hero.template.jinja()
    held = [p for p in tmp_path.rglob("*") if p.is_file() and "enable_thinking" in p.read_text("utf-8", "ignore")]
    assert held == [], "the model's own template is left nowhere"
    for thinking in (True, False):
        ids = tokenizer.apply_chat_template(
            THOUGHTFUL[:4], add_generation_prompt=True, enable_thinking=thinking, return_dict=False
        )
        assert list(ids) == encode_prompt(hero, THOUGHTFUL[:4])
    for text in ("Überall 日本語 ⓪①⓪ ½", "  two  spaces\n\n\nlines", "<think>x</think>", "'s 123 4'S"):
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == list(hero.template.plain(text))
        assert tokenizer.decode(hero.template.plain(text)) == text


def test_a_batch_answers_as_one_by_one_with_grouped_heads_and_fused_attention(hero: Hero) -> None:
    loop = StepLoop(hero, PLACEMENT)
    prompts = [encode_prompt(hero, [{"role": "user", "content": "word " * n}]) for n in (1, 9, 3, 30, 2, 14)]
    with loop.examined():
        together = greedy(hero, prompts, 12, batch_size=4)
        alone = [greedy(hero, [p], 12)[0] for p in prompts]
    assert together == alone


def test_checkpointed_activations_give_the_same_gradients(folder: Path) -> None:
    gradients = []
    for checkpointed in (False, True):
        placement = choose(hero_on(folder, gradient_checkpointing=checkpointed), load_game().engine)
        hero = load_pretrained(hero_on(folder, gradient_checkpointing=checkpointed), placement)
        assert hero.model.model.gradient_checkpointing is checkpointed
        batch = make_batch([encode_messages(hero, THOUGHTFUL), encode_text(hero, "and a text")])
        hero.model.train()
        batch_loss(hero, batch, PLACEMENT).total.backward()  # type: ignore[no-untyped-call]
        gradients.append({n: p.grad.clone() for n, p in hero.model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys() and len(gradients[0]) > 20
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], rtol=1e-5, atol=1e-7)


def test_a_model_that_reads_less_than_the_heros_context_is_refused(tmp_path: Path) -> None:
    made = make_folder(tmp_path / "short", positions=256)
    with pytest.raises(RealmError, match="to read 512 tokens, and its model reads 256") as refusal:
        load_pretrained(hero_on(made), PLACEMENT)
    assert "context_length" in refusal.value.fix
    assert load_pretrained(hero_on(made, model={"context_length": 256}), PLACEMENT).context_length == 256


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    made, larger = make_folder(tmp_path / "model"), make_folder(tmp_path / "larger", fillers=200)
    (made / "tokenizer.json").write_bytes((larger / "tokenizer.json").read_bytes())
    with pytest.raises(RealmError, match="does not belong to its model"):
        load_pretrained(hero_on(made), PLACEMENT)
