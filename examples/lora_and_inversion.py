"""A LoRA of the text encoder and a textual inversion, in one prompt. Prints what each changes.

It needs the package peft, which diffusers loads LoRAs with.
"""

import torch

from clipcond import build_pipeline

pipe = build_pipeline(device="cpu", dtype="float32")
pipe.set_progress_bar_config(disable=True)


def latents(prompt: str) -> torch.Tensor:
    call = {"num_inference_steps": 4, "output_type": "latent"}
    return pipe(prompt, generator=torch.Generator().manual_seed(0), **call).images


def show(what: str) -> None:
    print(f"{what:36} differs by {(latents('a <mood> cat') - plain).abs().max():.4f}")


pipe.conditioner.load_inversion(torch.zeros(2, 128), token="<mood>")  # or the path of its file
plain = latents("a <mood> cat")
torch.manual_seed(0)
weights = {}  # of a LoRA; for yours: pipe.load_lora_weights("style.safetensors")
for name, layer in pipe.text_encoder.named_modules():
    if name.endswith(("q_proj", "v_proj")):
        weights[f"text_encoder.{name}.lora_A.weight"] = torch.randn(4, layer.in_features) / 10
        weights[f"text_encoder.{name}.lora_B.weight"] = torch.randn(layer.out_features, 4) / 10
pipe.load_lora_weights(weights, adapter_name="style")
show("with a LoRA, seen without a new attach")
pipe.disable_lora()
show("with the LoRA switched off")
pipe.conditioner.load_inversion(torch.ones(2, 128), token="<other>")
print("inversions:", ", ".join(pipe.conditioner.inversions))
