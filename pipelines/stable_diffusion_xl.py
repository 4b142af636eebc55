"""Load Stable Diffusion XL with clipcond's prompts.

`custom_pipeline="pipelines/stable_diffusion_xl.py"`, else as in stable_diffusion.py.
"""

import diffusers

from clipcond.pipelines.self_attaching import SelfAttaching


class StableDiffusionXLPipeline(SelfAttaching, diffusers.StableDiffusionXLPipeline):
    """The stock class, attached when it is made; takes the choices of `clipcond.attach`."""
