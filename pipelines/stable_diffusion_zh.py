"""Load Stable Diffusion for Chinese prompts.

`custom_pipeline="pipelines/stable_diffusion_zh.py"`, else as in stable_diffusion.py. The default
tower belongs to the embedded model, whose folder is `clipcond.embedded.folder()`. For another model
give a Chinese tower and an adapter that was aligned to both: `tower="...", adapter="..."`.
"""

import diffusers

from clipcond.pipelines.self_attaching import SelfAttaching


class StableDiffusionPipeline(
    SelfAttaching, diffusers.StableDiffusionPipeline, tower="embedded-zh"
):
    """The stock class, attached when it is made; takes the choices of `clipcond.attach`."""
