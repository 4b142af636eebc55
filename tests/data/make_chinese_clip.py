"""Make chinese_clip.json.gz and chinese_clip.safetensors with cn_clip's own code.

    pip install torch torchvision six safetensors && pip install --no-deps cn_clip==1.6.0
    python tests/data/make_chinese_clip.py

Written with cn_clip 1.6.0 on torch 2.15. The models have cn_clip's five shapes, but are narrow and
have random weights, which `drawn` makes anew wherever they are needed: names and shapes are in the
JSON, as cn_clip's own state_dict lists them, vision half included.
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
WIDTH = 128  # two heads of 64, as wide as every head of the published models
ROWS = [0, 1, 5, 51]  # [CLS], two more, and the last of 52: padding, or [SEP] of a full text
TEXTS = ["一只猫", "", "a red cat在房子前面，旁边有一只狗。" * 5]
# layers, embedding, layers of the vision half: embeddings as wide, in proportion, as the published
SIZES = {
    "RBT3": (3, 160, (1, 1, 1, 1)),
    "B/16": (12, 96, 1),
    "L/14": (12, 128, 1),
    "L/14-336": (12, 128, 1),
    "H/14": (24, 128, 1),
}
STRINGS = [
    "",
    " ",
    "一只猫",
    "一只红色的猫坐在房子前面",
    "皮卡丘、杰尼龟、妙蛙种子和小火龙",
    "你好，世界！",
    "你好,世界!",
    "全角标点：，。、；：？！“”‘’（）【】《》——……·",
    "半角标点: , . ; : ? ! \" ' ( ) [ ] < > - _ ...",
    "ＦＵＬＬ　ＷＩＤＴＨ　１２３",
    "中 文 有 空 格",
    "a photo of a cat",
    "A Photo Of A CAT",
    "astronaut riding a horse, 8k, highly detailed",
    "unaffable antidisestablishmentarianism",
    "cat猫dog狗",
    "iPhone 15手机壳",
    "2023年12月25日",
    "3.14159 1,000,000 50%",
    "价格￥99.9，约$14",
    "Café déjà vu naïve façade",
    "Ångström ñandú Žižek",
    "İstanbul ıss ẞß",
    "ΑΘΗΝΑ Москва",
    "日本語のテキスト、カタカナとひらがな",
    "한국어 문장",
    "ﬁne ﬂuff ½ ²",
    "😀",
    "猫😀狗",
    "👨‍👩‍👧‍👦 家庭",
    "👍🏽好",
    "❤️ ♥ ★ ☆ ☀",
    "🤩🥰🫠",
    "①②③ ⅣⅤ ㎡ ℃",
    "→ ← ↑ ↓ ∞ ≠ ≤ α β γ",
    "龘靐齉 㐀 𠀀 𪚥",
    "\u3400\u4dbf\u9fff\uf900",
    "繁體中文：臺灣、龍、鳳、龜",
    "tab\tnew\nline\r\nend",
    "zero\u200bwidth\u200djoiner\ufeff",
    "non\u00a0breaking\u3000space",
    "nul\x00bell\x07end",
    "replacement \ufffd character",
    "soft\u00adhyphen",
    "e\u0301 combining a\u0308",
    "((masterpiece)), best quality",
    "(红色:1.3)的花",
    "[模糊:清晰:0.5]",
    "a\\(b\\)c",
    "[CLS] [SEP] [PAD] [UNK] [MASK]",
    "##ing ##猫 #标签#",
    "user@example.com https://example.com/路径?a=1&b=2",
    "C++ C# .NET",
    "x" * 100,
    "x" * 101,
    "y" * 200,
    "y" * 201,
    "不" * 60,
    "don't can't won't it's",
    "snake_case kebab-case CamelCase",
    "水墨画，山水，远处有一座塔，夕阳，高清，4K，超现实主义风格，大师作品",
    "“引号”里的Ａ和a",
    "…—～·｜＋＝",
    "Ｈ₂Ｏ和H₂O",
]


def drawn(shapes: Mapping[str, Sequence[int]], seed: int) -> dict[str, np.ndarray]:
    """Weights by name, drawn in the order of the names: the same on every machine."""
    random = np.random.RandomState(seed)
    return {
        name: np.asarray(_values(name, random.standard_normal(tuple(shapes[name]))), np.float32)
        for name in sorted(shapes)
    }


def _values(name: str, n: np.ndarray) -> np.ndarray:
    if "LayerNorm" in name:
        return 1 + 0.1 * n if name.endswith("weight") else 0.1 + 0.05 * n
    if "embeddings" in name:
        return 0.5 * n
    if n.ndim < 2:
        return 0.05 + 0.02 * n
    fan_in = n.shape[0] if name.endswith("projection") else n[0].size
    return n / np.sqrt(fan_in)


def make_model(size: str):
    """cn_clip's own CLIP in one of its shapes, with drawn weights."""
    import torch
    from cn_clip.clip.model import CLIP

    layers, embed_dim, vision_layers = SIZES[size]
    model = CLIP(
        embed_dim=embed_dim,
        image_resolution=32,
        vision_layers=vision_layers,
        vision_width=64,
        vision_patch_size=16,
        vocab_size=21128,
        text_attention_probs_dropout_prob=0.1,
        text_hidden_act="gelu",
        text_hidden_dropout_prob=0.1,
        text_hidden_size=WIDTH,
        text_initializer_range=0.02,
        text_intermediate_size=2 * WIDTH,
        text_max_position_embeddings=512,
        text_num_attention_heads=WIDTH // 64,
        text_num_hidden_layers=layers,
        text_type_vocab_size=2,
    )
    shapes = {k: list(t.shape) for k, t in model.state_dict().items() if t.is_floating_point()}
    state = {k: torch.from_numpy(v) for k, v in drawn(shapes, seed_of(size)).items()}
    model.load_state_dict(state, strict=False)
    return model.eval(), shapes


def seed_of(size: str) -> int:
    return 5200 + list(SIZES).index(size)


def encoded(model, input_ids) -> tuple:
    """Hidden states [depth n rows D] of every block, pooled [n P]."""
    import torch

    states = []
    for block in model.bert.encoder.layer:
        block.register_forward_hook(lambda module, args, output: states.append(output[:, ROWS]))
    with torch.no_grad():
        pooled = model.encode_text(input_ids)
    return torch.stack(states), pooled


def main() -> None:
    from cn_clip.clip import _tokenizer, tokenize
    from safetensors.torch import save_file

    input_ids = tokenize(TEXTS)
    tensors, shapes = {}, {}
    for size in SIZES:
        model, shapes[size] = make_model(size)
        tensors[f"{size}/hidden"], tensors[f"{size}/pooled"] = encoded(model, input_ids)
    save_file({k: t.contiguous() for k, t in tensors.items()}, HERE / "chinese_clip.safetensors")
    strings = [
        {"text": text, "ids": _tokenizer.convert_tokens_to_ids(_tokenizer.tokenize(text))}
        for text in STRINGS
    ]
    cases = {
        "meta": {"cn_clip": "1.6.0", "rows": ROWS, "width": WIDTH},
        "texts": [{"text": t, "ids": i.tolist()} for t, i in zip(TEXTS, input_ids, strict=True)],
        "strings": strings,
        "shapes": shapes,
    }
    lines = json.dumps(cases, ensure_ascii=True, separators=(",", ":"))
    written = gzip.compress(lines.encode() + b"\n", mtime=0)
    (HERE / "chinese_clip.json.gz").write_bytes(written)


if __name__ == "__main__":
    main()
