"""What hooks and replaced forwards compute with counts for the cache, wherever it is kept."""

import copy

import torch

from clipcond import Conditioner
from clipcond.towers import OpenAIClipTower
from tests.failures import failures_of
from tests.parity.models import model_l, tokenizer
from tests.towers.replaced_calls import CASES, Hook, hooked


@torch.no_grad()
def test_no_change_is_missed():
    def check(name):
        put, change = CASES[name]
        model = copy.deepcopy(model_l())
        tower = OpenAIClipTower(model, tokenizer())
        ours, plain = Conditioner(tower), Conditioner(tower, cache_bytes=0)
        made = put(model)
        known = ours("a cat").embeds
        assert torch.equal(ours("a cat").embeds, known)
        for _ in range(3):  # a snapshot is made in between
            change(made)
            found = ours("a cat").embeds
            assert torch.equal(found, plain("a cat").embeds)
            assert not torch.equal(found, known)
            assert torch.equal(ours("a cat").embeds, found)
            known = found

    assert not failures_of(check, CASES)


def test_hooks_that_count_do_not_empty_the_cache():
    model = copy.deepcopy(model_l())
    ours, runs = Conditioner(OpenAIClipTower(model, tokenizer())), []
    model.register_forward_pre_hook(lambda module, args: runs.append(len(runs)))
    hooked(model, lambda module, args, output: runs.append((1, "run")))
    ours("a cat")
    n_runs = len(runs)
    assert n_runs > 1
    for _ in range(4):
        ours("a cat")
    assert len(runs) == n_runs


def test_a_hook_that_holds_too_much_is_never_cached():
    model = copy.deepcopy(model_l())
    ours, runs = Conditioner(OpenAIClipTower(model, tokenizer())), []
    held = tuple((i,) for i in range(3000))
    model.register_forward_pre_hook(lambda module, args: runs.append(len(held)))
    for _ in range(3):
        ours("a cat")

    assert len(runs) == 3


def test_what_is_nested_deeply_is_no_error():
    model, held = copy.deepcopy(model_l()), Hook()
    for _ in range(1500):
        outer = Hook()
        outer.inner, held = held, outer
    model.register_forward_pre_hook(lambda module, args: held.multiplier and None)

    ours = Conditioner(OpenAIClipTower(model, tokenizer()))
    assert torch.equal(ours("a cat").embeds, ours("a cat").embeds)


def test_a_cleared_cache_has_no_empty_chunk_either():
    model = copy.deepcopy(model_l())
    ours, runs = Conditioner(OpenAIClipTower(model, tokenizer())), []
    model.register_forward_pre_hook(lambda module, args: runs.append(1))
    for _ in range(2):
        ours.guided("", "")
    assert len(runs) == 1
    ours.cache.clear()
    ours.guided("", "")
    assert len(runs) == 2


def test_what_is_dropped_at_random_is_never_cached():
    model = copy.deepcopy(model_l())
    ours, runs = Conditioner(OpenAIClipTower(model, tokenizer())), []
    model.register_forward_pre_hook(lambda module, args: runs.append(1))
    attention = next(m for m in model.modules() if hasattr(m, "q_proj"))
    attention.dropout = 0.5
    for is_training, n_runs in ((False, 1), (True, 3), (False, 3)):
        model.train(is_training)
        for _ in range(2):
            ours("a cat")
        assert len(runs) == n_runs
    assert torch.equal(ours("a cat").embeds, ours("a cat").embeds)
