"""What tests have to know of the embedded model, as its files have it."""

import json

from clipcond.embedded import folder


def _config(part: str) -> dict:
    return json.loads((folder() / part / "config.json").read_text(encoding="utf-8"))


LATENT = _config("unet")["sample_size"]
FACTOR = 2 ** (len(_config("vae")["block_out_channels"]) - 1)  # pixels of a latent's side
SIDE = LATENT * FACTOR
SIZE = (SIDE, SIDE)
DEFAULTS = _config("text_encoder")["clipcond"]  # clip_skip, guidance_scale, num_inference_steps
