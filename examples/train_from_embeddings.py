"""Encode captions once, and train a small UNet from the files. Prints how its loss falls.

The latents are made up, a channel for each colour; in their place take those of your pictures.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from torch.utils.data import DataLoader

import clipcond.bulk

COLOURS = ("red", "green", "blue", "pink")
torch.manual_seed(0)
unet = UNet2DConditionModel(
    sample_size=8, cross_attention_dim=128, block_out_channels=(16, 32), norm_num_groups=8,
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), layers_per_block=1,
    up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), attention_head_dim=4,
)  # fmt: skip
scheduler, optimizer = DDPMScheduler(), torch.optim.AdamW(unet.parameters(), 3e-3)
with TemporaryDirectory() as folder:
    captions, output, losses = Path(folder, "captions.txt"), Path(folder, "embeddings"), []
    lines = [f"a {thing} on a {c} background" for thing in ("apple", "cat", "dog") for c in COLOURS]
    captions.write_text("\n".join(lines))
    clipcond.bulk.encode_captions(captions, output)
    embeddings = clipcond.bulk.open(output)
    for epoch in range(12):  # shuffled otherwise by each seed
        stream = embeddings.stream(seed=epoch)
        for batch in DataLoader(stream, batch_size=6, collate_fn=embeddings.collate):
            has = torch.tensor([[c in text for c in COLOURS] for text in batch["caption"]])
            latents = (2.0 * has - 1)[:, :, None, None].expand(-1, -1, 8, 8)
            noise, steps = torch.randn_like(latents), torch.randint(1000, (len(latents),))
            noisy = scheduler.add_noise(latents, noise, steps)
            losses.append((unet(noisy, steps, batch["embeds"]).sample - noise).square().mean())
            losses[-1].backward()
            optimizer.step(), optimizer.zero_grad()
    print(embeddings, f"loss {losses[0]:.2f} -> {sum(losses[-4:]) / 4:.2f}", sep="\n")
