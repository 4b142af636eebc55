"""Write eva_clip.safetensors with the text transformer of the official EVA-CLIP code.

    git clone https://github.com/baaivision/EVA
    PYTHONPATH=. python tests/data/make_eva_clip.py EVA/EVA-CLIP/rei

Its module imports apex, deepspeed, timm and einops, none of which a text transformer needs: they
are stood in for here, apex's FusedLayerNorm by torch's LayerNorm, whose formula it speeds up.
Weights come from tests/towers/open_clip_recipe.py; the chunks are those of open_clip.json, for it
is the same tokenizer. Hidden states keep every 16th column.
"""

import json
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import torch
from safetensors.torch import save_file

from tests.checkpoints import open_clip_recipe as recipe

HERE = Path(__file__).parent


def stand_in(name: str, **content: object) -> None:
    module = ModuleType(name)
    vars(module).update(content)
    sys.modules[name] = module


def official(folder: str) -> ModuleType:
    """eva_clip/transformer.py, without the package's __init__, which imports everything."""
    norm = torch.nn.LayerNorm
    stand_in("apex")
    stand_in("apex.normalization", FusedLayerNorm=norm)
    functions = {"FusedLayerNormAffineFunction": None, "FusedLayerNormFunction": None}
    stand_in("apex.normalization.fused_layer_norm", **functions)
    stand_in("deepspeed")
    stand_in("timm")
    stand_in("timm.models")
    stand_in("timm.models.layers", trunc_normal_=None)
    stand_in("eva_clip", __path__=[str(Path(folder) / "eva_clip")])
    stand_in("eva_clip.rope", VisionRotaryEmbedding=None, VisionRotaryEmbeddingFast=None)
    stand_in("eva_clip.utils", to_2tuple=None)
    return import_module("eva_clip.transformer")


def main() -> None:
    module = official(sys.argv[1])
    ids = torch.tensor(json.loads((HERE / "open_clip.json").read_text(encoding="utf-8"))["rows"])
    tensors: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        for name, case in recipe.EVA.items():
            text = module.TextTransformer(
                width=case.width, heads=case.heads, layers=case.layers, output_dim=case.embed,
                norm_layer=torch.nn.LayerNorm,
            ).eval()  # fmt: skip
            weights = {k.removeprefix("text."): v for k, v in recipe.weights(case).items()}
            text.load_state_dict(weights)
            tensors |= record(name, text, ids)
    save_file(tensors, HERE / "eva_clip.safetensors")


def record(name: str, text: torch.nn.Module, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    """Block outputs, counted from the last, and the pooled output; these blocks pass [L n D]."""
    outputs: list[torch.Tensor] = []
    for block in text.transformer.resblocks:
        block.register_forward_hook(lambda _, args, out: outputs.append(out.transpose(0, 1)))
    found = {f"{name}/pooled": text(ids)}
    for depth, hidden in enumerate(reversed(outputs), 1):
        found[f"{name}/hidden.{depth}"] = hidden[..., ::16].contiguous()
        found[f"{name}/normed.{depth}"] = text.ln_final(hidden)[..., ::16].contiguous()
    return found


if __name__ == "__main__":
    main()
