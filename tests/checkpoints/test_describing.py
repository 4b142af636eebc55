"""A description of a tower, made without its model, explains prompts as the tower does."""

import copy
import json
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path
from shutil import copyfile, copytree

import pytest
import torch
from safetensors.torch import load_file, save_file

from clipcond import embedded
from clipcond.checkpoints import load_tower, load_towers
from clipcond.checkpoints.describing import describe_tower, describe_towers
from clipcond.checkpoints.header import read_header
from clipcond.checkpoints.table_in_file import TableInFile
from clipcond.conditioning import DIALECTS, Conditioner
from clipcond.conditioning.explaining import Explainer
from clipcond.errors import PromptError
from tests.pipelines.models import tiny_sd, tiny_sdxl

PROMPTS = [
    *("", " ", "a cat", "a (red:1.3) fox, [dog]", "((a)) b) (c", "a (cat:1.3.4) (x:-1) (y:nan)"),
    *("[a:b:0.5] cat", "[cat|dog] x", "a AND b:0.5", "A AND B", "x BREAK y BREAK", "a: b AND"),
    *("<lora:x:0.8> a # comment\nb", "a <b> c", "(a)1.3 [b]++ c--", '("a", "b").and(1, 2)'),
    *("('a', 'b').blend(0.3, 0.7)", "{a} [[b]] {{c}}", "1.5::red:: cat", "embedding:style a"),
    *(
        "猫",
        "（猫：1.3），狗",
        "一只[红:蓝:0.5]猫",
        "naïve ｆｕｌｌ ﬁ café",
        "🦊 \u200b x&amp;y <|endoftext|>",
    ),
    *(
        "a xylophone zephyr",
        "DON'T  stop\n\n123,456",
        "\\(a\\) b\\",
        "word " * 90,
        "a, b. c; " * 40,
    ),
    *("x" * 400, "__wild__ {a|b} ${v}", "[a:b:1.5] [c::0] [:d:9]"),
]
NEGATIVES = [None, "", "blurry (ugly:1.4) xylophone AND x", "a [b:c:0.2] 猫"]
CLIP_SKIPS = [None, 1, 2]


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> dict[str, Path]:
    """Save what pipelines read texts with, and an index of it."""
    made = {}
    for name, pipe in (("sd", tiny_sd()), ("sdxl", tiny_sdxl())):
        folder = made[name] = tmp_path_factory.mktemp(name)
        names = [n for n in ("text_encoder", "text_encoder_2") if getattr(pipe, n, None)]
        for each in names:
            getattr(pipe, each).save_pretrained(folder / each)
            tokenizer = each.replace("text_encoder", "tokenizer")
            own = copy.deepcopy(getattr(pipe, tokenizer))  # others may have made it cut and pad
            own.backend_tokenizer.no_truncation()
            own.backend_tokenizer.no_padding()
            own.save_pretrained(folder / tokenizer)
        index = {each: ["transformers", "CLIPTextModel"] for each in names}
        (folder / "model_index.json").write_text(json.dumps(index))
    return made


def single_files(folder: Path) -> list[str]:
    """Write the embedded towers as files of several tools."""
    ours = embedded.folder() / "text_encoder"
    (folder / "own").mkdir()
    for name in ("config.json", "model.safetensors"):
        copyfile(ours / name, folder / "own" / name)
    clip = load_file(ours / "model.safetensors")
    bert = load_file(embedded.folder().parent / "zh" / "tower" / "model.safetensors")
    notes = {"heads": "4", "activation": "gelu", "clipcond": '{"clip_skip": 2}'}
    prefix = "cond_stage_model.transformer."
    save_file(clip, folder / "gelu.safetensors", notes)
    save_file({prefix + k: v for k, v in clip.items()}, folder / "sd1.safetensors", notes)
    save_file({f"bert.{k}": v for k, v in bert.items()}, folder / "zh.safetensors", notes)
    one, two = "clip_l.transformer.", "text_encoders.clip_l.transformer."
    pair = {
        **{one + k: v for k, v in clip.items()},
        **{two + k: v.clone() for k, v in clip.items()},
    }
    save_file(pair, folder / "pair.safetensors", notes)
    names = ("gelu", "sd1", "zh", "pair")
    own = str(folder / "own" / "model.safetensors")
    return [own, *(str(folder / f"{name}.safetensors") for name in names)]


@cache
def both(source: str) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """Describe the towers of a model, and open them."""
    return describe_towers(source), load_towers(source)


def explained(explainer: Explainer, prompt: str, negative: str | None) -> tuple[object, ...]:
    """Explain a prompt, or say why it cannot be read; tables of short ones, for rich is slow."""
    try:
        report = explainer.explain(prompt, negative)
    except PromptError as error:
        return (str(error),)
    is_short = len(prompt) < 12 and not negative
    return report, json.dumps(report.json()), report.table() if is_short else ""


def unlike(sources: list[str], step: int) -> list[tuple[str, str, str]]:
    """List model, dialect and prompt where a report differs in a byte; of all, every step-th."""
    found = []
    for first, source in enumerate(sources):
        described, towers = both(source)
        for i, (dialect, prompt) in enumerate(product(DIALECTS, PROMPTS)):
            if (i + first) % step == 0:
                choices = {"dialect": dialect, "clip_skip": CLIP_SKIPS[i % 3]}
                pair = Explainer(described, **choices), Conditioner(*towers, **choices)
                one, other = (explained(each, prompt, NEGATIVES[i % 4]) for each in pair)
                if one != other:
                    found.append((source, dialect, prompt))
    return found


def test_reports_are_those_of_the_tower(saved):
    assert not unlike(
        ["embedded", "embedded-zh", str(saved["sdxl"])], 29
    )  # coprime to the number of prompts and dialects


@pytest.mark.slow
def test_all_reports_are_those_of_the_tower(saved, tmp_path):
    folders = ["embedded", "embedded-zh", *map(str, saved.values())]

    assert not unlike(folders + single_files(tmp_path), 1)


def test_towers_are_described_as_they_are(saved, tmp_path):
    names = "name", "special", "width", "depth", "own_clip_skip", "fullwidth"
    _, gelu, *_ = single_files(tmp_path)  # the slow test has all
    sources = ["embedded", "embedded-zh", str(saved["sdxl"]), gelu]
    pairs = [pair for source in sources for pair in zip(*both(source), strict=True)]
    for name in ("embedded-zh", f"{saved['sdxl']}#2"):
        pairs.append((describe_tower(name), load_tower(name)))
    wrong = [
        (tower.name, name)
        for described, tower in pairs
        for name in names
        if getattr(described, name) != getattr(tower, name, False)
    ]

    assert not wrong


def test_zero_rows_are_found_in_the_file(tmp_path):
    """Whatever the dtype; -0.0 is zero, the smallest number and NaN are not."""
    for dtype, size in ((torch.float32, 4), (torch.float16, 2), (torch.bfloat16, 2)):
        table = torch.ones(3000, 5, dtype=dtype)
        table[[0, 7, 8, 1500, 2999]] = 0.0
        table[8, 2] = -0.0
        table[1500, 4] = torch.tensor([1], dtype=getattr(torch, f"int{8 * size}")).view(dtype)[0]
        table[7, 0] = float("nan")
        path = tmp_path / f"{size}.safetensors"
        save_file({"x": torch.ones(3), "table": table}, path)
        rows = TableInFile(path, read_header(path).entries["table"])
        expected = (table == 0).all(-1).tolist()

        assert rows.blanks(range(len(rows))) == expected
        assert rows.blanks([8, 2999, 3, 7, 0]) == [True, True, False, False, True]
        assert rows.blanks([]) == []


def test_what_only_the_tower_can_say_is_left_to_it(saved, tmp_path):
    """A broken model, another kind, a pair of which one is meant: there is no description."""

    def changed(name: str, change: Callable[[Path], object]) -> Path:
        folder = Path(copytree(saved["sd"], tmp_path / name))
        change(folder)
        return folder

    def config(**values: object) -> Callable[[Path], object]:
        def write(folder: Path) -> None:
            path = folder / "text_encoder" / "config.json"
            path.write_text(json.dumps(json.loads(path.read_text()) | values))

        return write

    def weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], object]:
        def write(folder: Path) -> None:
            path = folder / "text_encoder" / "model.safetensors"
            tensors = load_file(path)
            change(tensors)
            save_file(tensors, path)

        return write

    broken = [
        changed("depth", config(num_hidden_layers=1)),
        changed("width", config(hidden_size=64)),
        changed("heads", config(num_attention_heads=5)),
        changed("activation", config(hidden_act="silly")),
        changed("kind", config(model_type="t5")),
        changed("projection", config(architectures=["CLIPTextModelWithProjection"])),
        changed("missing", weights(lambda t: t.pop(min(t)))),
        changed("shape", weights(lambda t: t.update({min(t): torch.ones(2)}))),
        changed("more", weights(lambda t: t.update({"encoder.layers.9.x": torch.ones(2)}))),
        changed("integers", weights(lambda t: t.update({min(t): t[min(t)].to(torch.int32)}))),
        changed("words", lambda f: (f / "tokenizer" / "tokenizer.json").write_text("{}")),
        changed("no words", lambda f: (f / "tokenizer" / "tokenizer.json").unlink()),
        tmp_path / "nothing",
    ]
    described = [str(f) for f in broken if describe_tower(f) or describe_towers(f)]

    assert not described
    assert describe_tower(saved["sdxl"]) is None
    assert describe_tower("owner/name") is None
