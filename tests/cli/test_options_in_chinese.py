"""Wrong options and bad lines of --prompts are said in Chinese where the locale is Chinese."""

import errno
import json
import os
import re
from functools import partial

import pytest
from PIL import Image

from clipcond.cli.entry import main
from clipcond.cli.messages import in_locale
from clipcond.cli.picture_jobs import jobs_of_prompt
from clipcond.metadata import read_parameters
from clipcond.metadata.comfyui_encoders import OF_ENCODERS, encoders_not_honoured
from clipcond.metadata.comfyui_joins import JOINED, joins_not_honoured
from clipcond.pipelines import build_pipeline
from tests.failures import failures_of

one_of = partial(jobs_of_prompt, count=1)
JOINS = "; ".join(
    f"{kind}{mark}"
    for mark in ("", " (of one text)")
    for kind in ("Combine", "Concat", "Average with x_strength=0.5", "Join")
)
ENGLISH = re.compile(r"[a-z]{3,} [a-z]{2,} [a-z]{2,}")
OPTIONS = [
    *(["--size", size] for size in ("5", "0x5", "ax4", "512|512", "")),
    *(["--clip-skip", layer] for layer in ("0", "-1", "x", "1.5")),
    *(["--seed", seed] for seed in ("-2", "x", "1.5", "9" * 30)),
    *(["--steps", steps] for steps in ("0", "x")),
    *(["--guidance", guidance] for guidance in ("300", "-1", "nan", "x")),
    *(["--count", count] for count in ("0", "x")),
    ["--seed", str(2**64 - 1), "--count", "2"],
    *(["-o", name] for name in ("x.gif", "x", "")),
    *([name, "foo"] for name in ("--dialect", "--weighting", "--normalize", "--scheduler")),
    *([name, "foo"] for name in ("--dtype", "--device")),
    *([name, ""] for name in ("--model", "--tower")),
    *(["--matrix", axis] for axis in ("stpes=1", "cfg=1", "steps=1,x", "steps", "steps:1=2")),
    *(["--matrix", axis] for axis in ("prompt:=a", "prompt:dog=a", 'prompt="a', 'prompt="a"b')),
    *(["--matrix", axis] for axis in ("dialect=foo", "style=a", "tower=none", "size=5")),
    *(["--matrix", axis] for axis in ("fullwidth=x", "guidance=x", "clip-skip=,2", "seed=1.5")),
    *(["--matrix", "seed=1", *more] for more in (["--count", "2"], ["--matrix", "seed=2"])),
    ["--matrix", "prompt:cat=x", "--matrix", "prompt:a=x"],
    ["-n", "a cat", "--matrix", "negative:cat=x", "--matrix", "negative:a=x"],
    *(["--matrix", "seed=" + "1," * 500], ["--save-all"], ["--style", "a"]),
    *(["-n"], ["--cfg", "5"], ["--sise", "5"], ["dog"], ["--prompts", "x"]),
]  # fmt: skip
LINES = [
    {"prompt": 5},
    {"prompt": "x", "cfg": 7},
    {"prompt": "x", "seeed": 7},
    {"prompt": "x", "foo": 7},
    {"prompt": "x", "foo": 7, "seed": "x"},
    {"prompt": "x", "seed": -5},
    {"prompt": "x", "seed": 2**70},
    {"prompt": "x", "steps": 0},
    {"prompt": "x", "steps": 1.5},
    {"prompt": "x", "clip_skip": 0},
    {"prompt": "x", "guidance": 500},
    {"prompt": "x", "guidance": "7"},
    {"prompt": "x", "size": "5"},
    {"prompt": "x", "output": "a.gif"},
    {"prompt": "x", "output": "a\0.png"},
    {"seed": 5},
    ["a cat"],
    '{"prompt": "x"',
    '{"prompt": "x", "output": "a.png"}\n{"prompt": "y", "output": "a.png"}',
]


WRONG_USE = """frobnicate
generat
generate a --force=3
checkpoint
checkpoint bad.safetensors a
score picture.png a --matrix m.png
generate a --prompts one.tsv -o out
generate --prompts one.tsv -o out --force
generate --prompts - -o out
generate --prompts one.tsv -o out --seed -1
generate --prompts one.tsv -o out --workers 2
generate --prompts one.tsv -o out --engine rey
generate --prompts one.tsv -o out --files gif
generate a --engine ray
score folder --parts
search folder
vary picture.png --amount 0.5
vary picture.png --encoder x"""
FILES = """checkpoint none.safetensors
checkpoint bad.safetensors
checkpoint empty.safetensors
checkpoint bad.ckpt
checkpoint folder
checkpoint picture.png
parameters none.png
parameters picture.png
parameters folder
vary none.png
generate --prompts none.txt
generate --prompts folder
generate --prompts none.txt -o out
generate --prompts folder -o out
generate --prompts two.tsv -o out
generate --prompts two.tsv -o out --column prompt=x
generate --prompts two.tsv -o out --column prompt=a --column sed=b
generate --prompts one.tsv -o full
generate --prompts bad.jsonl -o out --max-bad 0
generate --prompts one.tsv
generate a -o folder/none/a.png
generate a --model folder
generate a --model bad.safetensors"""


def test_commands_and_files_that_cannot_be_used(capsys, tmp_path):
    (tmp_path / "folder").mkdir()
    for name, content in (
        *(("bad.safetensors", "abc"), ("empty.safetensors", ""), ("bad.ckpt", "a")),
        *(("two.tsv", "a\tb\nc\td\n"), ("one.tsv", "a cat\n"), ("bad.jsonl", "{\n")),
    ):
        (tmp_path / name).write_text(content)
    (tmp_path / "full" / "mine").mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(tmp_path / "picture.png")

    def check(case):
        code, command = case
        assert main(command.split()) == code
        check_chinese(capsys.readouterr().err)

    cases = [(2, line) for line in WRONG_USE.split("\n")]
    assert not failures_of(check, [*cases, *((1, line) for line in FILES.split("\n"))])


def test_what_the_system_says_is_translated():
    """Of any file, whatever message it is part of; what is not known stays whole, in English."""
    for number, reason in (
        (errno.ENOENT, "没有该文件或文件夹"), (errno.EACCES, "没有权限"),
        (errno.EISDIR, "它是文件夹"), (errno.ENOSPC, "磁盘空间不足"),
        (errno.EROFS, "文件系统是只读的"), (errno.ENOTDIR, "路径中"),
    ):  # fmt: skip
        said = os.strerror(number)
        for english in ("'a b.png' cannot be read: {}", "'a' cannot be written: {}", "'a': {}"):
            translated = in_locale(english.format(said))
            assert reason in translated
            assert said not in translated
    assert in_locale("'a': wholly unknown") == "'a': wholly unknown"


@pytest.fixture(autouse=True)
def chinese(monkeypatch, tmp_path):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    monkeypatch.chdir(tmp_path)


def check_chinese(said: str) -> None:
    assert re.search("[一-鿿]", said), said
    assert not ENGLISH.search(re.sub(r"可用的有：.*", "", said)), said


def test_wrong_options(capsys):
    def check(options):
        assert main(["generate", "a cat", *options]) == 2
        check_chinese(capsys.readouterr().err)

    assert not failures_of(check, OPTIONS)


TEMPLATES = [
    *(
        "{a|b",
        "{$$a|b}",
        "{-1::a|b}",
        "{0::a|0::b}",
        "${x=1}",
        "__no__",
        "__anima__",
        "__none(a=1)__",
    ),
    *(
        "{-$$" + "|".join(map(str, range(200))) + "}",
        "{a|b}" * 9,
        "__loop__",
        "__bad__",
        "__empty__",
    ),
    "__grow9____grow9__",
]


def test_templates(capsys, tmp_path):
    files = {"animal": "cat", "loop": "__loop__", "bad": "a\n{b|c", "empty": "# x", "grow0": "a"}
    files |= {f"grow{i}": f"__grow{i - 1}__" * 9 for i in range(1, 10)}
    for name, content in files.items():
        (tmp_path / f"{name}.txt").write_text(content, encoding="utf-8")

    def check(template):
        assert main(["expand", template, "--combinations", "--wildcards", "."]) in (1, 2)
        check_chinese(capsys.readouterr().err)

    assert not failures_of(check, TEMPLATES)
    for odd in ("a} b", "{a {b|c}", "{3$$a|b}"):
        assert main(["expand", odd, "--count", "1"]) == 0
        check_chinese(capsys.readouterr().err)
    assert main(["expand", "__a__"]) == 2
    check_chinese(capsys.readouterr().err)
    assert main(["expand", "{a|b}", "--combinations", "--count", "1"]) == 0
    check_chinese(capsys.readouterr().err)


def test_files_of_styles(capsys, tmp_path):
    def check(content):
        (tmp_path / "s.csv").write_bytes(content)
        assert main(["generate", "a cat", "--styles", "s.csv", "--style", "x"]) in (1, 2)
        check_chinese(capsys.readouterr().err)

    head = b"name,prompt\n"
    cases = [b"a,b", head + b"a,b,c,d", head + b"x\xff,a", head, head + b"y,a"]
    assert not failures_of(check, cases)


def test_layers_that_a_tower_has_not(capsys):
    assert main(["inspect", "a cat", "--clip-skip", "99"]) == 1
    check_chinese(capsys.readouterr().err)


def test_what_is_not_as_the_picture_was_made():
    """Of every kind: settings of the file stay as they are, and the rest is Chinese."""
    pipe = build_pipeline()
    head, rest = "a cat\nSteps: 2, Sampler: ", "CFG scale: 3, Seed: 5"
    regions = json.dumps(["nowhere: a cat", "left *x: a: b"])
    written = [
        f"{head}DPM fast, {rest}, Denoising strength: 0.4, Hires upscale: 2, RNG: NV",
        f"{head}Euler, Schedule type: Automatic, {rest}, TI hashes: easy: 12, Precision: float16",
        f"{head}DDIM, {rest}, Regions: {regions}, Base share: 5, Hires prompt: 'x. Y: z'",
        f"{head}DDIM, {rest}, Regions: none",
    ]
    lines = [each for text in written for each in read_parameters(text).not_honoured(pipe)]
    lines = [line for line in lines if "Say " not in line]  # the command reads prompts as it says
    lines += [
        "No denoising strength from 0 to 1 is given: the pipeline's own is used.",
        "Size: 64x64; the pipeline takes the picture's.",
        "The mask 'a.png' is another file than the picture was made with.",
        "Clip skip: 3; with several text towers A1111 does not follow it, nor this.",
        "Clip skip: 2; which block of Stable Diffusion 2 that is for A1111 is not known, so it is "
        "counted from the last of 23.",
        "The picture's layer is the 24th block of Stable Diffusion 2; here block 23 is the last, "
        "and is read.",
        "The picture's layer is the last block; here the block before it is read.",
        "The picture's layer is for some of its texts the last block; here the block before it is "
        "read.",
        "No steps are given: the pipeline's own number is used.",
        "No CFG scale is given: the pipeline's own is used.",
        "No sampler is given: the pipeline's DDIM is used.",
        "No schedule type is given: noise levels are spaced evenly.",
        *encoders_not_honoured(dict.fromkeys(OF_ENCODERS, "X with parser=full")),
        *(line for name in JOINED.values() for line in joins_not_honoured({name: JOINS})),
        "This diffusers has no DDIMScheduler.",
        "scheduler 'Euler Beta' cannot be used here: install scipy",
    ]
    assert len(lines) >= 15

    def check(line):
        said = in_locale(f"not as the picture was made: {line}")
        assert said.startswith("与原图的画法不同：")
        check_chinese(said)

    assert not failures_of(check, lines)
    said = "10 to the power of 18"
    assert "10 的 18 次方" in in_locale(f"2 of {said} combinations are made")
    assert "10 的 18 次方" in in_locale(f"there are {said} combinations: say how many with --count")
    assert re.search("种子", in_locale("'a.png' does not say the seed; 0 is used"))
    check_chinese(in_locale("Input should be a valid boolean, unable to interpret input"))


def test_json_that_cannot_be_read(capsys, tmp_path):
    graph = '{"3": {"class_type": "KSampler", "inputs": {}}}'
    texts = (graph[:-1], f"[{graph}]", '{"nodes": [], "links": []}', '{"a": 1}', "a cat")

    def check(text):
        (tmp_path / "g.json").write_text(text)
        assert main(["parameters", "g.json"]) == 1
        check_chinese(capsys.readouterr().err)

    assert not failures_of(check, texts)


def test_bad_lines(capsys, tmp_path):
    def check(line):
        text = line if isinstance(line, str) else json.dumps(line)
        (tmp_path / "prompts.txt").write_text(text, encoding="utf-8")
        code, said = main(["generate", "--prompts", "prompts.txt"]), capsys.readouterr().err
        assert code == 1
        assert re.match("clipcond: 第 [12] 行：", said), said
        check_chinese(said.replace("Expecting ',' delimiter", ""))

    assert not failures_of(check, LINES)
    (tmp_path / "prompts.txt").write_bytes(b"\n\xc3\x28\n")
    code, said = main(["generate", "--prompts", "prompts.txt"]), capsys.readouterr().err
    assert (code, said) == (1, "clipcond: 第 2 行：不是 UTF-8\n")
