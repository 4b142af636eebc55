"""What computes a UNet's attention: by name, and what is said where it cannot."""

import importlib.util
import itertools

import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor, AttnProcessor2_0

from clipcond.errors import PipelineError
from clipcond.pipelines import build_pipeline
from clipcond.pipelines.attention_kernels import KernelProcessor
from tests.pipelines.models import latents


@pytest.mark.parametrize(
    ("attention", "processor"), [("sdpa", AttnProcessor2_0), ("eager", AttnProcessor)]
)
def test_names_choose_the_processor(sd_folder, attention, processor):
    pipe = build_pipeline(sd_folder, attention=attention)

    assert {type(each) for each in pipe.unet.attn_processors.values()} == {processor}
    assert {type(each) for each in pipe.vae.attn_processors.values()} == {processor}
    assert torch.allclose(
        latents(pipe, "a cat"), latents(build_pipeline(sd_folder), "a cat"), atol=1e-4
    )  # another order of the same sums


@pytest.mark.parametrize(
    ("attention", "package", "install"),
    [
        ("xformers", "xformers", "pip install 'clipcond[xformers]'"),
        ("flash", "flash_attn", "pip install flash-attn"),
    ],
)
def test_a_missing_package_is_named_before_anything_is_loaded(attention, package, install):
    if importlib.util.find_spec(package) is not None:
        pytest.skip(f"{package} is installed")
    with pytest.raises(PipelineError, match=f"^{attention} cannot be used here: ") as caught:
        build_pipeline("no/such/model", attention=attention)

    assert install in str(caught.value)


@pytest.mark.parametrize("attention", ["flash", "xformers"])
def test_a_package_that_does_not_work_here_is_explained(sd_folder, attention, monkeypatch):
    """As if it were installed: the CPU has no such kernel."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())

    with pytest.raises(PipelineError, match=f"^{attention} cannot be used here: ") as caught:
        build_pipeline(sd_folder, attention=attention, device="cpu")

    assert "leave out attention=" in str(caught.value)


@pytest.fixture
def kernels(sd_folder):
    """Two pipelines alike: one as diffusers has it, one whose UNet asks the dispatcher."""
    plain, dispatched = (build_pipeline(sd_folder, device="cpu") for _ in range(2))
    dispatched.unet.set_attn_processor(KernelProcessor("native"))
    return plain, dispatched


def test_the_dispatcher_computes_what_sdpa_does(kernels):
    plain, dispatched = kernels

    assert torch.equal(latents(dispatched, "a (red:1.3) cat"), latents(plain, "a (red:1.3) cat"))


def test_masks_go_through_a_kernel_that_takes_them():
    """With a mask even flash works on a CPU: its kernel is not asked."""
    generator = torch.Generator().manual_seed(0)
    hidden, rows = (torch.randn(2, n, 32, generator=generator) for n in (5, 7))
    attn = Attention(32, 32, heads=4, dim_head=8).eval()
    bias = torch.zeros(2, 1, 7)
    bias[1, :, 3:] = -10_000.0

    with torch.no_grad():
        expected = AttnProcessor2_0()(attn, hidden, rows, bias)
        assert torch.equal(KernelProcessor("flash")(attn, hidden, rows, bias), expected)
        assert not torch.equal(AttnProcessor2_0()(attn, hidden, rows), expected)


def test_variants_of_the_block_are_computed_alike():
    """Norms of queries, of the other rows, residual connections, factors: as diffusers' own."""
    generator = torch.Generator().manual_seed(0)
    hidden, rows = (torch.randn(2, n, 32, generator=generator) for n in (5, 7))
    wrong = []
    for norm, residual, factor in itertools.product((None, "layer_norm"), (False, True), (1, 2)):
        for cross in (None, "layer_norm"):
            attn = Attention(
                32, 32 if cross else None, heads=4, dim_head=8, qk_norm=norm,
                cross_attention_norm=cross, residual_connection=residual,
                rescale_output_factor=factor,
            ).eval()  # fmt: skip
            other = rows if cross else None
            with torch.no_grad():
                expected = AttnProcessor2_0()(attn, hidden, other)
                if not torch.equal(KernelProcessor("native")(attn, hidden, other), expected):
                    wrong.append((norm, residual, factor, cross))
    assert not wrong
