"""Write open_clip.json and open_clip.safetensors with open_clip itself.

    pip install open_clip_torch        # with the full torch, in an environment of its own
    PYTHONPATH=. python tests/data/make_open_clip.py

Weights come from tests/towers/open_clip_recipe.py and are not stored. Of every model: the output of
every block, the same with the final norm, and the pooled output, for chunks of a negative, a
positive and a 200-token prompt. Hidden states keep every 16th column (every 4th where 32 wide).
"""

import json
from importlib.metadata import version
from pathlib import Path

import open_clip
import torch
from open_clip.hf_model import HFTextEncoder
from open_clip.model import CLIP, CustomTextCLIP
from safetensors.torch import save_file
from transformers import AutoConfig

from tests.checkpoints import open_clip_recipe as recipe

HERE = Path(__file__).parent
VISION = {"layers": 1, "width": 64, "head_width": 64, "patch_size": 16, "image_size": 32}
STRINGS = [
    "", " ", "a cat", "A CAT", "a photo of an astronaut riding a horse on mars",
    "don't won't I'LL", "it's 1234 o'clock", 'x' * 100, "antidisestablishmentarianism",
    "hello,world;  new\nline\ttab", "(red:1.3) cat", "((very)) [[dim]]", "snake_case __dunder__",
    "$9.99 100% #1 @home a&b", "!!!", "...", "?!?!", "a & b", "&", "&&", "&amp;", "&amp;amp;",
    "&amp;amp;amp;lt;", "&lt;b&gt;bold&lt;/b&gt;", "&copy", "&copy;", "&EACUTE;", "&eacute;",
    "&#65;", "&#x1F600;", "&notanentity;", "<&amp;>", "e&#769;<", "café", "cafe\u0301",
    "naïve résumé", "Ã©tÃ©", "schÃ¶n", "â€œquotedâ€\x9d", "donâ€™t", "“curly” ‘quotes’",
    "em—dash en–dash", "ﬁne ﬂow", "Ｆｕｌｌ ｗｉｄｔｈ", "猫", "一只可爱的猫坐在垫子上",
    "红色，蓝色。", "日本語のテキスト", "한국어", "русский", "العربية", "नमस\u094dत\u0947", "ไทย",
    "😀", "a 🐱\u200d👤 cat", "👨\u200d👩\u200d👧", "❤\ufe0f", "🇩🇪", "a\u3000b", "a\xa0b",
    "a\u200bb", "a\x85b\x1cc", "\ufeffbom", "\x1b[31mred\x1b[0m", "nul\x00byte", "İstanbul",
    "ΣΑΣ", "straße", "½ ² Ⅷ ①", "'ſ ſ", "<start_of_text>", "a <END_OF_TEXT> b",
    "<|startoftext|>a<|endoftext|>", "中文 and English 混合 🎨", "™ № …", "l’été d’or",
    recipe.NEGATIVE,
]  # fmt: skip


def main() -> None:
    tensors: dict[str, torch.Tensor] = {}
    tokenizer = open_clip.SimpleTokenizer()
    rows = recipe.blocks(tokenizer.encode)
    with torch.no_grad():
        for name, case in recipe.OPEN_CLIP.items():
            tensors |= record(name, text_of(case), torch.tensor(rows))
        for name in recipe.HF:
            tensors |= record_hf(name)
    save_file(tensors, HERE / "open_clip.safetensors")
    facts = {
        "versions": {p: version(p) for p in ("open_clip_torch", "torch", "transformers", "ftfy")},
        "rows": rows,
        "strings": {text: tokenizer.encode(text) for text in STRINGS},
    }
    with (HERE / "open_clip.json").open("w", encoding="utf-8") as file:
        json.dump(facts, file, indent=1)


def text_of(case: recipe.Case) -> torch.nn.Module:
    """open_clip's model of a case: a whole CLIP, or the text half of a CustomTextCLIP."""
    config = {"width": case.width, "heads": case.heads, "layers": case.layers}
    whole = (CustomTextCLIP if case.prefix else CLIP)(
        case.embed, VISION, config, quick_gelu=case.quick_gelu
    )
    missing, unexpected = whole.load_state_dict(recipe.weights(case), strict=False)
    assert not unexpected, unexpected
    assert all(key.startswith("visual.") or key == "logit_scale" for key in missing), missing
    return whole.eval().text if case.prefix else whole.eval()


def record(name: str, text: torch.nn.Module, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    """Block outputs, counted from the last, and the pooled output."""
    outputs: list[torch.Tensor] = []
    for block in text.transformer.resblocks:
        block.register_forward_hook(lambda _, args, output: outputs.append(output))
    pooled = text.encode_text(ids) if hasattr(text, "encode_text") else text(ids)
    found = {f"{name}/pooled": pooled.contiguous()}
    for depth, hidden in enumerate(reversed(outputs), 1):
        found[f"{name}/hidden.{depth}"] = hidden[..., ::16].contiguous()
        found[f"{name}/normed.{depth}"] = text.ln_final(hidden)[..., ::16].contiguous()
    return found


def record_hf(name: str) -> dict[str, torch.Tensor]:
    kind, pooler, projection, seed = recipe.HF[name]
    config = AutoConfig.for_model(kind, **recipe.HF_CONFIG)
    text = HFTextEncoder("", recipe.HF_EMBED, config, pooler, projection).eval()
    drawn = recipe.draw({n: tuple(p.shape) for n, p in text.named_parameters()}, seed)
    text.load_state_dict(drawn, strict=False)
    outputs: list[torch.Tensor] = []
    for block in text.transformer.encoder.layer:
        block.register_forward_hook(
            lambda _, args, out: outputs.append(out[0] if isinstance(out, tuple) else out)
        )
    found = {f"{name}/pooled": text(recipe.hf_ids())}
    for depth, hidden in enumerate(reversed(outputs), 1):
        found[f"{name}/hidden.{depth}"] = hidden[..., ::4].contiguous()
    return found


if __name__ == "__main__":
    main()
