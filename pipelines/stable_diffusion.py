"""Load Stable Diffusion 1.x or 2.x with clipcond's prompts.

    pipe = DiffusionPipeline.from_pretrained(
        "a folder or an id on the Hub",
        custom_pipeline="pipelines/stable_diffusion.py",
        trust_remote_code=True,
        clip_skip=2,
    )
    image = pipe("a (red:1.3) fox").images[0]

In the place of `lpw_stable_diffusion` it has the same methods `text2img`, `img2img` and `inpaint`,
and with `dialect="lpw"` the same numbers. `clip_skip` counts from 1, where lpw counts from 0.
"""

import diffusers

from clipcond.pipelines.self_attaching import SelfAttaching


class StableDiffusionPipeline(SelfAttaching, diffusers.StableDiffusionPipeline):
    """The stock class, attached when it is made; takes the choices of `clipcond.attach`."""
