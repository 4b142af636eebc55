"""Load Stable Diffusion for inpainting with clipcond's prompts.

`custom_pipeline="pipelines/stable_diffusion_inpaint.py"`, else as in stable_diffusion.py.
"""

import diffusers

from clipcond.pipelines.self_attaching import SelfAttaching


class StableDiffusionInpaintPipeline(SelfAttaching, diffusers.StableDiffusionInpaintPipeline):
    """The stock class, attached when it is made; takes the choices of `clipcond.attach`."""
