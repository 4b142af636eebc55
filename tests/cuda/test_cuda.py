"""fp16 and bf16 on a GPU: numbers, devices, offload, compilation, streams, memory.

    pytest -o addopts= -m cuda tests/cuda        (about 3 minutes on one GPU)

Weights are random and widths real: see models.py, also for a rehearsal without a GPU.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from diffusers import DPMSolverMultistepScheduler

from clipcond import Conditioner, attach, build_pipeline, detach
from clipcond.conditioning.dialects import DIALECTS
from clipcond.errors import PipelineError, TowerError, WeightingError
from clipcond.towers import OpenAIClipTower
from clipcond.weighting import NORMALIZATIONS, WEIGHTINGS
from tests.cuda import models
from tests.cuda.models import DEVICE, REHEARSAL, distance, latents, objects_seen, sd1, sdxl
from tests.cuda.report import record

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not (torch.cuda.is_available() or REHEARSAL), reason="needs a CUDA device"),
    pytest.mark.filterwarnings("default"),  # other people's, of versions found on such machines
]
needs_card = pytest.mark.skipif(REHEARSAL, reason="there is nothing of this on a CPU")
HALVES = (torch.float16, torch.bfloat16)
# relative to the norm of the float32 result
BOUND = {torch.float16: 4e-3, torch.bfloat16: 3e-2}
PROMPT = "a (red:1.3) fox in the (snow:0.7), [dark:light:0.5] trees"
CHANGING = ("a [cat|dog] in the snow", "a (blue:1.2) [car:ship:2]", "a fox AND [a|b] snow :0.5")
WEIGHTS = (0.3, 0.7, 1.0, 1.3, 2.0)


def towers(dtype):
    """CLIP-L and bigG in this dtype: two copies of the same weights."""
    made = (models._copy(each).to(DEVICE, dtype) for each in (models.clip_l(), models.clip_g()))
    pads = ("<|endoftext|>", "!")
    return [OpenAIClipTower(m, models.tokenizer(p)) for m, p in zip(made, pads, strict=True)]


@pytest.fixture(scope="module")
def by_dtype():
    return {dtype: towers(dtype) for dtype in (torch.float32, *HALVES)}


def weighted(dialect: str, weight: float) -> str:
    """A prompt of two chunks with one weight, as the dialect writes it."""
    group = {"compel": f"(red fox){weight}", "diffusers": "red fox", "plain": "red fox"}
    middle = group.get(dialect, f"(red fox:{weight})")
    if dialect == "novelai":
        middle = f"{weight}::red fox::"
    return f"a {middle} in the snow, " + "soft light, " * 30


def test_every_dialect_in_half_precision(by_dtype):
    """Weights from 0.3 to 2.0: embeddings of half a precision are near those in float32."""
    far, worst = [], {}
    for name in DIALECTS:
        for n in (1, 2):
            for weight in WEIGHTS:
                prompt = weighted(name, weight)
                exact = Conditioner(*by_dtype[torch.float32][:n], dialect=name)(prompt)
                for dtype in HALVES:
                    made = Conditioner(*by_dtype[dtype][:n], dialect=name)(prompt)
                    assert made.embeds.dtype == dtype
                    assert made.embeds.device.type == torch.device(DEVICE).type
                    error = distance(made.embeds, exact.embeds)
                    key = f"{name} {dtype}"
                    worst[key] = max(worst.get(key, 0.0), error)
                    if not error <= BOUND[dtype]:
                        far.append((name, n, weight, dtype, error))
    record("relative error of a dialect", worst)
    assert not far


def test_every_rule_in_half_precision(by_dtype):
    """Every weighting and normalisation, too: weights act in float32 and are cast back."""
    far, worst = [], {}
    for rule in WEIGHTINGS:
        for normalize in NORMALIZATIONS:
            choices = {"dialect": "comfyui", "weighting": rule, "normalize": normalize}
            for weight in WEIGHTS:
                prompt = weighted("comfyui", weight)
                exact = Conditioner(by_dtype[torch.float32][0], **choices)(prompt).embeds
                for dtype in HALVES:
                    made = Conditioner(by_dtype[dtype][0], **choices)(prompt).embeds
                    error = distance(made, exact)
                    worst[f"{rule} {dtype}"] = max(worst.get(f"{rule} {dtype}", 0.0), error)
                    if not error <= BOUND[dtype]:
                        far.append((rule, normalize, weight, dtype, error))
    record("relative error of a rule", worst)
    assert not far


def test_nothing_that_is_not_finite_is_silent(by_dtype):
    """A tower that overflows float16, and a weight that does: an error, never black pictures."""
    tower = towers(torch.float16)[0]
    text = getattr(tower.model, "text_model", tower.model)
    text.final_layer_norm.weight.mul_(60_000.0)
    with pytest.raises(TowerError, match="NaN or infinite"):
        Conditioner(tower)("a cat")
    with pytest.raises(WeightingError, match="NaN or infinite"):
        Conditioner(by_dtype[torch.float16][0], weighting="scale")("a (cat:100000)")
    assert Conditioner(by_dtype[torch.float16][0])("a cat").embeds.isfinite().all()


@needs_card
def test_float16_is_the_default_on_cuda():
    pipe = build_pipeline()

    assert pipe.device.type == "cuda"
    assert {pipe.unet.dtype, pipe.vae.dtype, pipe.text_encoder.dtype} == {torch.float16}
    assert build_pipeline(dtype="bfloat16").unet.dtype == torch.bfloat16


def test_the_embedded_model_draws_the_same_things_in_float16():
    names = ["cat", "dog", "apple", "fox", "tree", "house", "car", "fish"]
    seen, pictures = {}, {}
    for dtype in ("float32", "bfloat16" if REHEARSAL else "float16"):
        pipe = build_pipeline(dtype=dtype, device=DEVICE, clip_skip=2)
        pipe.set_progress_bar_config(disable=True)
        prompts = [f"a (red:1.2) {name} on a blue background" for name in names]
        generators = [torch.Generator().manual_seed(i) for i in range(len(names))]
        made = pipe(prompts, generator=generators, output_type="pt", num_inference_steps=20)
        pictures[dtype] = made.images.float().cpu()
        seen[dtype] = objects_seen(pictures[dtype], names)
    exact, half = seen.values()
    pairs = list(zip(exact, half, strict=True))
    record("embedded model, same object in half precision", f"{sum(a == b for a, b in pairs)} of 8")
    record("embedded model, object is the one asked for", [exact, half])
    assert sum(a == b for a, b in pairs) >= 7
    a, b = pictures.values()
    assert (a - b).abs().mean() < 0.03


@pytest.mark.parametrize("made", [sd1, sdxl])
def test_a_pipeline_of_real_width(made):
    """Attached with weights all 1 it draws what plain diffusers draws; weights change that."""
    pipe = made(torch.float16 if not REHEARSAL else torch.float32)
    plain = latents(pipe, "a fox in the snow")
    attach(pipe)
    attached = latents(pipe, "a fox in the snow")
    heavy = latents(pipe, "a (fox:1.4) in the snow")
    detach(pipe)

    error = distance(attached, plain)
    record(f"{made.__name__}, attached against plain diffusers", error)
    assert error < 1e-3
    assert heavy.isfinite().all()
    assert not torch.equal(heavy, attached)
    assert torch.equal(latents(pipe, "a fox in the snow"), plain)


@needs_card
def test_offloading_changes_nothing():
    expected = latents(attach(sd1(torch.float16)), PROMPT)
    far = {}
    for way in ("model", "sequential", "group"):
        pipe = attach(sd1(torch.float16).to("cpu"))
        if way == "model":
            pipe.enable_model_cpu_offload()
        elif way == "sequential":
            pipe.enable_sequential_cpu_offload()
        else:
            pipe.enable_group_offload(
                onload_device=torch.device("cuda"), offload_type="leaf_level", use_stream=True
            )
        for _ in range(2):  # the second from the cache
            error = distance(latents(pipe, PROMPT), expected)
            if not error < 1e-3:
                far[way] = error
    assert not far


@needs_card
def test_compiled_once():
    """UNet and text encoder compiled: after the first call no prompt compiles anything more."""
    pipe = attach(sd1(torch.float16))
    expected = latents(pipe, PROMPT)
    pipe.unet = torch.compile(pipe.unet)
    pipe.text_encoder = torch.compile(pipe.text_encoder)
    first = latents(pipe, PROMPT)
    assert distance(first, expected) < 2e-2
    with torch._dynamo.config.patch(error_on_recompile=True):
        for prompt in (*CHANGING, "a fox", PROMPT):
            assert latents(pipe, prompt).isfinite().all()


@needs_card
def test_attention_kernels_agree():
    expected, far = None, {}
    for name in ("sdpa", "eager", "xformers", "flash"):
        try:
            pipe = build_pipeline(attention=name)
        except PipelineError as error:
            record(f"attention {name}", f"not measured: {error}".splitlines()[0])
            assert name in ("xformers", "flash")
            continue
        seen = latents(pipe, "a (red:1.3) fox", num_inference_steps=8)
        expected = seen if expected is None else expected
        record(f"attention {name}, distance to sdpa", distance(seen, expected))
        if not distance(seen, expected) < 3e-2:
            far[name] = distance(seen, expected)
    assert not far


@needs_card
def test_streams_and_threads(by_dtype):
    """Two threads with a CUDA stream each encode what one alone encodes."""
    conditioner = Conditioner(by_dtype[torch.float16][0], cache_bytes=0)
    prompts = [f"a (red:1.{i}) fox in the snow, {i}" for i in range(8)]
    expected = [conditioner(prompt).embeds.clone() for prompt in prompts]

    def wrong(stream):
        with torch.cuda.stream(stream):
            pairs = zip(prompts * 4, expected * 4, strict=True)
            return [p for p, known in pairs if not torch.equal(conditioner(p).embeds, known)]

    torch.cuda.synchronize()
    with ThreadPoolExecutor(2) as pool:  # raises here what a thread raises
        assert list(pool.map(wrong, [torch.cuda.Stream() for _ in range(2)])) == [[], []]


@needs_card
def test_cached_rows_are_ready_in_another_stream(by_dtype):
    """A row that one stream still computes is not read half done by another."""
    conditioner = Conditioner(by_dtype[torch.float16][1])
    expected = conditioner("a fox").embeds.clone()
    for _ in range(20):
        conditioner.cache.clear()
        with torch.cuda.stream(torch.cuda.Stream()):
            conditioner("a fox")
        assert torch.equal(conditioner("a fox").embeds, expected)


def test_moving_after_attaching():
    """`attach`, then `pipe.to(...)`; and a text encoder that stays on the CPU."""
    half = torch.bfloat16 if REHEARSAL else torch.float16
    pipe = attach(sd1(torch.float32).to("cpu"))
    pipe("a fox", num_inference_steps=1, output_type="latent")
    pipe.to(DEVICE, half)
    moved = latents(pipe, PROMPT)
    expected = latents(attach(sd1(half)), PROMPT)
    assert distance(moved, expected) < 1e-3

    pipe.text_encoder.to("cpu", torch.float32)
    apart = pipe.encode_prompt(PROMPT, torch.device(DEVICE), 1, True)[0]
    assert apart.device.type == torch.device(DEVICE).type
    assert apart.dtype == half
    assert distance(latents(pipe, PROMPT), expected) < 5e-2


def test_schedules_and_parts():
    """Prompts over time and AND: with a scheduler of two orders, in half precision."""
    pipe = attach(sd1(torch.bfloat16 if REHEARSAL else torch.float16))
    pipe.scheduler = DPMSolverMultistepScheduler.from_config(pipe.scheduler.config)
    alone, edited = latents(pipe, "a red fox"), latents(pipe, "a [red:blue:0.5] fox")
    assert edited.isfinite().all()
    assert not torch.equal(edited, alone)
    assert torch.equal(latents(pipe, "a [red:blue:1.0] fox"), alone)
    halves = latents(pipe, "a red fox :0.5 AND a red fox :0.5")
    assert distance(halves, alone) < 3e-2


@needs_card
def test_peak_memory(by_dtype):
    """256 prompts take at most 1.3 times the memory of a plain forward of as many chunks."""
    tower = by_dtype[torch.float16][0]
    prompts = [f"a fox in the snow, {i}" for i in range(256)]
    choices = {"padding": "max_length", "max_length": 77, "return_tensors": "pt"}
    batch = models.tokenizer()(prompts, **choices).input_ids

    def peak(work):
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        with torch.no_grad():
            kept = work()
        torch.cuda.synchronize()
        del kept
        return torch.cuda.max_memory_allocated() - before

    plain = peak(lambda: tower.model(batch.to(DEVICE)).last_hidden_state)
    ours = peak(lambda: Conditioner(tower, cache_bytes=0)(prompts).embeds)
    record("peak memory of 256 prompts, times a plain forward", ours / plain)
    assert ours < 1.3 * plain
