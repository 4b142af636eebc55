"""Find the image adapter that comes with a model."""

from __future__ import annotations

from functools import partial
from typing import cast

from torch import nn

from clipcond.adapters import load_adapter, unet_family, unet_fingerprint
from clipcond.adapters.fingerprints import is_comparable
from clipcond.conditioning.conditioner import Conditioner
from clipcond.conditioning.image_prompts import ImageReader
from clipcond.embedded import image_adapter_file
from clipcond.pipelines.prompt_embeds import config_of
from clipcond.reading import load_encoder

EMBEDDED_FAMILY, EMBEDDED_WIDTH = "sd1", 128  # of the text that the embedded UNet reads


def give_images(conditioner: Conditioner, pipe: object, before: object) -> Conditioner:
    """Give a pipeline's Conditioner the image adapter of the one before, or the model's own.

    Args:
        before: what was the pipeline's Conditioner until now, if anything.
    Returns:
        the same Conditioner.
    """
    if isinstance(before, Conditioner):
        conditioner.follow_images(before)
    unet = cast(nn.Module | None, getattr(pipe, "unet", None))
    if unet is None or config_of(unet).get("cross_attention_dim") != EMBEDDED_WIDTH:
        return conditioner
    if unet_family(unet) == EMBEDDED_FAMILY:
        fingerprint = unet_fingerprint(unet) if is_comparable(unet) else ""
        conditioner.find_image_reader = partial(_embedded_reader, fingerprint)
    return conditioner


def _embedded_reader(fingerprint: str) -> ImageReader | None:
    """Open the embedded image adapter, if it was trained into this UNet.

    Args:
        fingerprint: the UNet's; "" = it cannot be taken, as of one in bfloat16.
    """
    adapter, record = load_adapter(image_adapter_file())
    if fingerprint not in ("", record.unet):
        return None
    return ImageReader(adapter, load_encoder("embedded"))
