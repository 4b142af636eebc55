"""The families whose text reaches the model in ways of their own, each with a tiny pipeline."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import diffusers
import torch

from clipcond import attach
from tests.pipelines import zoo
from tests.pipelines import zoo_stubs as stubs
from tests.pipelines.models import SIDE, seeded
from tests.pipelines.steps import flow_parts as parts

_MADE = {}
OF_FLOWS = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
SHIFTS = {"use_dynamic_shifting": True, "time_shift_type": "exponential"}


@dataclass(frozen=True, kw_only=True)
class Flow:
    """A family in the tests: a pipeline, and how its model reads text.

    Args:
        make: builds the pipeline.
        text: the arguments of the model that depend on the text.
        model: the pipeline's attribute.
        call: arguments of the pipeline's call.
        guided: what its call takes for guidance by a negative prompt.
        order: of the batch: p(rompts), n(egatives), s(afety); "" = the model is called for the
            negatives again.
        number: what its call calls the number of pictures.
        batches: whether a prompt of a batch is drawn as alone, by plain diffusers too.
        schedulers: further ones that it can have.
    """

    make: Callable[[], Any]
    text: tuple[str, ...] = ("encoder_hidden_states",)
    model: str = "transformer"
    call: Mapping[str, Any] = field(default_factory=dict)
    guided: Mapping[str, Any] = field(default_factory=lambda: {"guidance_scale": 3.0})
    order: str = "np"
    number: str = "num_images_per_prompt"
    batches: bool = True
    schedulers: tuple[Callable[[], Any], ...] = ()

    def attached(self, scheduler=None):
        """The pipeline, attached; tests share it, as the same call draws the same again."""
        if id(self) not in _MADE:
            _MADE[id(self)] = self.make()
            _MADE[id(self)].set_progress_bar_config(disable=True)
        pipe = copy.copy(_MADE[id(self)])
        pipe.scheduler = copy.deepcopy(pipe.scheduler) if scheduler is None else scheduler()
        return attach(pipe)

    def draw(self, pipe, prompt, negative=None, n_steps=3, **over):
        """What a call draws; guided where there is a negative prompt."""
        call = {"num_inference_steps": n_steps, "generator": seeded(), **self.call}
        if negative is not None:
            call |= {"negative_prompt": negative, **self.guided}
        with zoo.quiet():
            found = pipe(prompt=prompt, **{**call, **over})[0]
        return torch.as_tensor(found)

    def draw_batch(self, pipe, prompts, negatives, n):
        """What n pictures of each prompt are; all begin with the same noise."""
        n_rows = n * len(prompts) * (2 if self.model == "prior" and self.order == "np" else 1)
        over = {"generator": [seeded() for _ in range(n_rows)], self.number: n}
        if "image_embeddings" in self.call:
            over["image_embeddings"] = PICTURE.repeat(n * len(prompts), 1, 1, 1)
            over[self.number] = 1
        return self.draw(pipe, prompts, negatives, **over)


def zoo_flow(name, output_type="latent", **more):
    call = {"height": SIDE, "width": SIDE, "output_type": output_type}
    if name.startswith("Flux"):
        call["max_sequence_length"] = 16
    return Flow(make=partial(zoo.make, name), call=call, **more)


MASKED = ("encoder_hidden_states", "pooled_projections", "encoder_attention_mask")
PICTURE = torch.randn(1, 2, 3, 3, generator=torch.Generator().manual_seed(1))
SMALL = {"height": 32, "width": 32, "output_type": "latent"}
TRUE_GUIDANCE = {"true_cfg_scale": 3.0}
DECODED = {"image_embeddings": PICTURE, "output_type": "latent"}

FLOWS = {
    "Flux": zoo_flow(
        "FluxPipeline",
        text=MASKED[:2],
        guided=TRUE_GUIDANCE,
        order="",
        schedulers=(
            partial(diffusers.UniPCMultistepScheduler, **OF_FLOWS),
            partial(diffusers.DPMSolverMultistepScheduler, **OF_FLOWS, **SHIFTS),
        ),
    ),
    "HunyuanVideo": Flow(
        make=stubs.hunyuan,
        number="num_videos_per_prompt",
        text=MASKED,
        call={**SMALL, "num_frames": 5},
        guided=TRUE_GUIDANCE,
        order="",
    ),
    "HiDream": Flow(
        make=stubs.hidream,
        text=("encoder_hidden_states_t5", "encoder_hidden_states_llama3", "pooled_embeds"),
        call=SMALL,
        schedulers=(partial(diffusers.UniPCMultistepScheduler, **OF_FLOWS),),
    ),
    "Kandinsky 5": Flow(
        make=stubs.kandinsky_5,
        text=(*MASKED[:2], "text_rope_pos"),
        call={**SMALL, "guidance_scale": 1.0},
        order="",
        batches=False,
    ),
    "Kandinsky 6": Flow(
        make=stubs.kandinsky_6,
        number="num_videos_per_prompt",
        text=MASKED,
        call={**SMALL, "num_frames": 5, "sample_audio": False, "guidance_scale": 1.0},
        order="",
    ),
    "unCLIP prior": Flow(
        make=parts.kandinsky_prior,
        model="prior",
        text=("proj_embedding", "encoder_hidden_states", "attention_mask"),
        call={"output_type": "pt"},
    ),
    "Stable Cascade": zoo_flow(
        "StableCascadePriorPipeline",
        model="prior",
        text=("clip_text_pooled", "clip_text"),
        output_type="pt",
        order="pn",
        schedulers=(diffusers.DDIMScheduler,),
    ),
    "Stable Cascade, decoder": Flow(
        make=stubs.cascade_decoder,
        model="decoder",
        text=("clip_text_pooled",),
        call=DECODED,
        order="pn",
    ),
    "Würstchen": Flow(
        make=parts.wuerstchen_prior,
        model="prior",
        text=("c",),
        call={"height": SIDE, "width": SIDE, "output_type": "pt"},
        order="pn",
    ),
    "Würstchen, decoder": Flow(
        make=stubs.wuerstchen_decoder,
        model="decoder",
        text=("clip",),
        call=DECODED,
        order="pn",
        batches=False,
    ),
    "Stable Diffusion Safe": zoo_flow(
        "StableDiffusionPipelineSafe",
        model="unet",
        order="nps",
        schedulers=(diffusers.HeunDiscreteScheduler,),
    ),
}
