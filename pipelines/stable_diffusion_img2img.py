"""Load Stable Diffusion for image-to-image with clipcond's prompts.

`custom_pipeline="pipelines/stable_diffusion_img2img.py"`, else as in stable_diffusion.py.
"""

import diffusers

from clipcond.pipelines.self_attaching import SelfAttaching


class StableDiffusionImg2ImgPipeline(SelfAttaching, diffusers.StableDiffusionImg2ImgPipeline):
    """The stock class, attached when it is made; takes the choices of `clipcond.attach`."""
