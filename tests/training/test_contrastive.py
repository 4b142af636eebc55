"""The contrastive losses are those of their papers, in parts and across processes too."""

import gc
import json
import math
import socket
import weakref

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clipcond.errors import TrainingError, UnknownNameError
from clipcond.training.contrastive import (
    LearnedScale,
    bounded_scale,
    contrastive_loss,
    encode_in_parts,
)
from tests.forked import fork_all
from tests.training.child_contrastive import N_PROCESSES, N_ROWS, batches, gradients_together


def drawn(n: int = 7, width: int = 5, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(n, width, generator=generator) * 3 for _ in range(2))


def figure_3(I_f: np.ndarray, T_f: np.ndarray, t: float) -> float:
    """Radford et al. 2021, figure 3, line by line; W_i and W_t are the identity."""

    def l2_normalize(x, axis):
        return x / np.sqrt((x**2).sum(axis=axis, keepdims=True))

    def cross_entropy_loss(logits, labels, axis):
        shifted = logits - logits.max(axis=axis, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
        picked = log_p[labels, labels]
        return -picked.mean()

    # joint multimodal embedding [n, d_e]
    I_e = l2_normalize(I_f, axis=1)
    T_e = l2_normalize(T_f, axis=1)
    # scaled pairwise cosine similarities [n, n]
    logits = np.dot(I_e, T_e.T) * np.exp(t)
    # symmetric loss function
    labels = np.arange(len(I_f))
    loss_i = cross_entropy_loss(logits, labels, axis=0)
    loss_t = cross_entropy_loss(logits, labels, axis=1)
    return (loss_i + loss_t) / 2


def algorithm_1(img_emb: np.ndarray, txt_emb: np.ndarray, t_prime: float, b: float) -> float:
    """Zhai et al. 2023, algorithm 1, line by line."""
    n = len(img_emb)
    t = np.exp(t_prime)
    zimg = img_emb / np.linalg.norm(img_emb, axis=1, keepdims=True)
    ztxt = txt_emb / np.linalg.norm(txt_emb, axis=1, keepdims=True)
    logits = np.dot(zimg, ztxt.T) * t + b
    labels = 2 * np.eye(n) - np.ones((n, n))  # -1 with diagonal 1
    return -np.sum(-np.logaddexp(0, -labels * logits)) / n


@pytest.mark.parametrize(("n", "t"), [(1, 0.0), (2, 2.66), (7, 2.66), (33, math.log(100))])
def test_it_is_figure_3_of_clip(n, t):
    images, texts = drawn(n)

    expected = figure_3(images.double().numpy(), texts.double().numpy(), t)

    found = contrastive_loss(images.double(), texts.double(), scale=math.exp(t))
    assert float(found) == pytest.approx(expected, rel=1e-12, abs=1e-14)
    found = contrastive_loss(images, texts, scale=math.exp(t))
    assert float(found) == pytest.approx(expected, rel=1e-5, abs=1e-6)  # float32


@pytest.mark.parametrize(("n", "t", "b"), [(1, 0.0, 0.0), (7, math.log(10), -10.0), (9, 3.0, 2.0)])
def test_with_a_bias_it_is_algorithm_1_of_siglip(n, t, b):
    images, texts = drawn(n)

    expected = algorithm_1(images.double().numpy(), texts.double().numpy(), t, b)

    found = contrastive_loss(images.double(), texts.double(), scale=math.exp(t), bias=b)
    assert float(found) == pytest.approx(expected, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("seed", range(3))
def test_numbers_are_those_from_before_it_was_one_loss(seed):
    """The recipe of the embedded model, and `align` and `tune-tower`, had these two."""
    text, image = drawn(12, seed=seed)
    log_scale = nn.Parameter(torch.tensor(2.5))

    scale = log_scale.clamp(max=math.log(100)).exp()
    logits = scale * F.normalize(text, dim=-1) @ F.normalize(image, dim=-1).T
    target = torch.arange(len(logits))
    recipe = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    torch.testing.assert_close(
        contrastive_loss(text, image, scale=bounded_scale(log_scale)), recipe, rtol=1e-6, atol=0
    )

    labels = torch.tensor([0, 0, 1, 2, 3, 4, 5, 5, 5, 6, 7, 8])
    twins = labels[:, None] == labels
    twins.fill_diagonal_(False)
    cosines = F.normalize(text, dim=-1) @ F.normalize(image, dim=-1).T
    logits = (10.0 * cosines).masked_fill(twins, -1e4)
    room = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    assert torch.equal(contrastive_loss(text, image, labels.tolist(), scale=10.0), room)


@pytest.mark.parametrize("bias", [None, -1.0])
def test_pairs_that_share_a_label_are_not_held_against_each_other(bias):
    student = torch.eye(4)
    student[1] = student[0]  # says the same as the first
    same = {"scale": 10.0, "bias": bias}

    apart = contrastive_loss(student, student, range(4), **same)
    twins = contrastive_loss(student, student, range(4), [0, 0, 2, 3], **same)
    assert twins < apart
    assert torch.equal(twins, contrastive_loss(student, student, [0, 0, 2, 3], **same))
    alone = contrastive_loss(student, student, [0] * 4, **same)
    expected = 0.0 if bias is None else -float(F.logsigmoid(torch.tensor(10.0 + bias)))
    assert float(alone) == pytest.approx(expected, abs=1e-7)


def test_gradients_stay_finite_where_all_others_are_twins():
    first, second = drawn(3)
    first.requires_grad_(True)
    for bias in (None, 0.0):
        contrastive_loss(first, second, [5, 5, 5], scale=1e5, bias=bias).backward()
        assert first.grad.isfinite().all()


def test_labels_are_as_many_as_pairs():
    with pytest.raises(TrainingError) as caught:
        contrastive_loss(*drawn(3), [1, 2], scale=1.0)
    assert str(caught.value) == "3 pairs need as many labels, not 2"


def test_the_scale_is_bounded_and_comes_back():
    log_scale = nn.Parameter(torch.tensor(6.0))
    scale = bounded_scale(log_scale)
    scale.backward()

    assert float(scale.detach()) == pytest.approx(100.0, rel=1e-6)
    assert float(log_scale.detach()) == pytest.approx(math.log(100))
    assert float(log_scale.grad) == pytest.approx(100.0, rel=1e-6)  # 0 would leave it there


@pytest.mark.parametrize(
    ("loss", "scale", "bias"), [("softmax", 1 / 0.07, None), ("sigmoid", 10, -10)]
)
def test_a_scale_begins_as_its_paper_has_it(loss, scale, bias):
    with torch.no_grad():
        first, added = LearnedScale(loss)()
        chosen, _ = LearnedScale(loss, 0.5)()

    assert float(first) == pytest.approx(scale, rel=1e-6)
    assert bias == (None if added is None else float(added.detach()))
    assert float(chosen) == pytest.approx(2.0)


def test_an_unknown_loss():
    with pytest.raises(UnknownNameError, match="no contrastive loss 'softmx'"):
        LearnedScale("softmx")


class Encoder(nn.Module):
    """Two layers with dropout, which remembers what it was called with and what it keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 16), nn.Linear(16, 5)
        self.sizes: list[int] = []
        self.kept: list[weakref.ref[Tensor]] = []
        self.most_kept = 0

    def forward(self, rows: Tensor) -> Tensor:
        self.sizes.append(len(rows))
        self.most_kept = max(self.most_kept, sum(ref() is not None for ref in self.kept))
        inner = F.dropout(self.first(rows), 0.3).exp()  # exp keeps its result for backward
        self.kept.append(weakref.ref(inner))
        return self.last(inner)


def gradients(encode, rows: Tensor, others: Tensor, model: nn.Module) -> list[Tensor]:
    model.zero_grad(set_to_none=True)
    contrastive_loss(encode(rows), others, scale=20.0).backward()
    return [parameter.grad for parameter in model.parameters()]


def test_in_parts_gradients_are_those_of_the_whole_batch():
    torch.manual_seed(0)
    model, rows, others = Encoder(), torch.randn(10, 6), torch.randn(10, 5)

    def in_parts(some: Tensor) -> Tensor:
        return encode_in_parts(model, some, 4)

    def plain(some: Tensor) -> Tensor:  # dropout draws part by part, so this does, too
        return torch.cat([model(part) for part in some.split(4)])

    torch.manual_seed(1)
    expected = gradients(plain, rows, others, model)
    model.sizes.clear()
    torch.manual_seed(1)
    found = gradients(in_parts, rows, others, model)

    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)
    assert sorted(model.sizes) == [2, 2, 4, 4, 4, 4]  # each part twice
    assert any(gradient.abs().max() > 1e-3 for gradient in found)


def test_in_parts_only_one_part_is_kept():
    model, rows, others = Encoder(), torch.randn(12, 6), torch.randn(12, 5)
    gc.collect()

    gradients(lambda some: encode_in_parts(model, some, 3), rows, others, model)

    assert model.most_kept <= 1  # 3 of 4 without recomputing
    assert len(model.sizes) == 8


def test_a_batch_of_one_part_is_encoded_once():
    model = Encoder()
    encode_in_parts(model, torch.randn(4, 6), 4)
    assert model.sizes == [4]


@pytest.mark.slow
@pytest.mark.parametrize("bias", [None, -2.0])
def test_processes_share_their_negatives(bias):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(N_PROCESSES)}
    ranks = [{**shared, "RANK": str(i), "OMP_NUM_THREADS": "1"} for i in range(N_PROCESSES)]
    ended = fork_all(gradients_together, (bias,), ranks)

    assert [each.code for each in ended] == [0] * N_PROCESSES, ended
    found = [json.loads(each.out) for each in ended]
    model, firsts, seconds, labels = batches()
    scale = nn.Parameter(torch.tensor(10.0))
    loss = contrastive_loss(model(firsts), model(seconds), labels, scale=scale, bias=bias)
    loss.backward()
    assert sum(each["loss"] for each in found) / N_PROCESSES == pytest.approx(loss.item(), rel=1e-6)
    expected = [*(p.grad for p in model.parameters()), scale.grad]
    for each in found:  # averaged over processes, as DistributedDataParallel does
        gradients_found = [torch.tensor(values) for values in each["gradients"]]
        torch.testing.assert_close(gradients_found, expected, rtol=1e-5, atol=1e-7)
        assert each["refused"] == (
            f"the batches of the processes differ in size: {N_ROWS}, {N_ROWS - 1}\n"
            "Give every process as many pairs."
        )
