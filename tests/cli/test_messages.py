"""Messages say options where Python has arguments, and speak Chinese in a Chinese locale."""

import pytest

from clipcond.cli.chinese import CHINESE
from clipcond.cli.console import _degrade, describe
from clipcond.cli.messages import hint, in_locale, speaks_chinese, with_options
from clipcond.errors import CheckpointError, PromptSyntaxError, UnknownNameError

OPTIONS = ["--clip-skip", "--device", "--dtype", "--tower", "--activation", "--allow-pickle"]
OPTIONS += ["--fullwidth", "--no-fullwidth", "--extra-networks", "--no-extra-networks"]
OPTIONS += ["--run", "--overwrite", "--max-bad", "--precision", "--image-column", "--text-column"]


@pytest.mark.parametrize(
    ("text", "worded"),
    [
        ("clip_skip=9 names no layer", "--clip-skip 9 names no layer"),
        ("clip_skip=-1 names none", "--clip-skip -1 names none"),
        (
            "no cuda\nLeave out device=, or say device='cpu'.",
            "no cuda\nLeave out --device, or say --device cpu.",
        ),
        ("slow. Leave out dtype=, or take bfloat16.", "slow. Leave out --dtype, or take bfloat16."),
        ("x\nSay tower=....", "x\nSay --tower ...."),
        (
            "x\nEncode the texts of schedule(prompt, steps, fullwidth=True) one by one.",
            "x\nIn Python: encode the texts of schedule(prompt, steps, fullwidth=True) one by one.",
        ),
        (
            "x\nSay activation='gelu' or activation='b'.",
            "x\nSay --activation gelu or --activation b.",
        ),
        ("x\nSave it; or say allow_pickle=True.", "x\nSave it; or say --allow-pickle."),
        ("x\nIf it is text, say fullwidth=False.", "x\nIf it is text, say --no-fullwidth."),
        ("x\nSay extra_networks=False.", "x\nSay --no-extra-networks."),
        ("x\nName another, or say overwrite=True.", "x\nName another, or say --overwrite."),
        (
            "x\nDelete it, or name another folder with run=.",
            "x\nDelete it, or name another folder with --run.",
        ),
        (
            "x\n  line 1: run=\nAllow more with max_bad=.",
            "x\n  line 1: run=\nAllow more with --max-bad.",
        ),
        ("x\nStart over with precision='no'.", "x\nStart over with --precision no."),
        (
            "x\nSay which ones to read: image_column=, text_column=.",
            "x\nSay which ones to read: --image-column, --text-column.",
        ),
    ],
)
def test_arguments_are_options(text, worded):
    assert with_options(text, OPTIONS) == worded


@pytest.mark.parametrize(
    ("text", "worded"),
    [
        ("x\nSay kind=...", "x"),
        (
            "x\nUse the .safetensors version, or say allow_pickle=True: then tensors are read.",
            "x\nUse the .safetensors version.",
        ),
        ("x\nSave it as safetensors; or say allow_pickle=True.", "x\nSave it as safetensors."),
        ("x\nShorten it. Say max_chunks=9.", "x\nShorten it."),
        ("x\nSay max_chunks=9. Shorten it.", "x\nShorten it."),
        ("x\nGive it as tokenizer=.", "x"),
        (
            "x\nLoad it: pipe.load_lora_weights('x', adapter_name='y'), then pipe.set(0.8).",
            "x\nIn Python: pipe.load_lora_weights('x', adapter_name='y'), then pipe.set(0.8).",
        ),
        (
            "x\nBuild the pipeline first, then pipe.load_ip_adapter(...).",
            "x\nIn Python: build the pipeline first, then pipe.load_ip_adapter(...).",
        ),
        (
            "x\nLoad its file: conditioner.load_inversion(file).",
            "x\nIn Python: conditioner.load_inversion(file).",
        ),
    ],
)
def test_advice_that_the_command_cannot_follow_is_left_out(text, worded):
    assert with_options(text, []) == worded


@pytest.mark.parametrize(
    "text",
    [
        "nothing to word",
        "'(' is never closed\n  a (clip_skip=2 cat\n    ^\nClose it with ')'.",
        "what=is this",
        "a == b, 1=2, x-y=3",
        "",
    ],
)
def test_what_is_no_argument_is_kept(text):
    assert with_options(text, OPTIONS) == text


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"LANG": "zh_CN.UTF-8"}, True),
        ({"LANG": "zh_TW"}, True),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.GBK"}, True),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, True),
        ({"LANG": "de_DE"}, False),
    ],
)
def test_the_locale(environment, expected):
    assert speaks_chinese(environment) is expected


def test_templates_are_translated_whole(monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    for template, chinese in CHINESE.items():
        n = template.count("{}")
        values = [f"<{i}>" for i in range(n)]
        said = in_locale(template.format(*values))
        assert said == chinese.format(*values), template
        assert all(value in said for value in values), template


@pytest.mark.parametrize(
    ("error", "chinese"),
    [
        (
            UnknownNameError("dialect", "a111", ["a1111", "compel"]),
            "没有名为 'a111' 的 dialect。是不是 'a1111'？可用的有：a1111, compel。",
        ),
        (UnknownNameError("dialect", "q", ["x"]), "没有名为 'q' 的 dialect。可用的有：x。"),
        (
            PromptSyntaxError("'1.2.3' is not a number", "(a:1.2.3)", 3),
            "'1.2.3' 不是数字\n  (a:1.2.3)\n     ^",
        ),
        (CheckpointError("'x.png' cannot be written: full"), "无法写入 'x.png'：full"),
        (CheckpointError("'{0}' exists already"), "'{0}' 已存在"),
        (CheckpointError("not in the table {}"), "not in the table {}"),
    ],
)
def test_errors_in_chinese(monkeypatch, error, chinese):
    assert in_locale(str(error)) == str(error)
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert in_locale(str(error)) == chinese


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("LC_ALL", "C")


def test_chinese_that_is_not_read_is_sent_to_the_chinese_tower():
    message = "'embedded' reads 0 of the 3 characters here; the others reach it as bytes"

    assert hint(message, ["一只猫"], OPTIONS).endswith("\nFor Chinese: --tower embedded-zh")
    for other in (
        hint(message, ["🐱"], OPTIONS),
        hint(message, ["一只猫"], []),
        hint("'embedded-zh' reads 1 of the 3 characters here", ["一只猫"], OPTIONS),
        hint("else", ["一只猫"], OPTIONS),
    ):
        assert "--tower" not in other


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("a — b…", "latin-1", b"a - b..."),
        ("“猫”", "cp437", b'"\\u732b"'),
        ("（猫：1.3）", "ascii", b"\\uff08\\u732b\\uff1a1.3\\uff09"),
        ("│x│", "latin-1", b"|x|"),
        ("é", "latin-1", b"\xe9"),
        ("\udcff", "utf-8", b"\\udcff"),
    ],
)
def test_streams_degrade(text, encoding, shown):
    assert _degrade is not None
    assert text.encode(encoding, "clipcond") == shown


def test_errors_of_others_are_described():
    assert describe(MemoryError()) == "out of memory: the picture is too large"
    assert describe(OSError(36, "File name too long", "x")) == "'x': File name too long"
    assert describe(KeyError("x")).startswith("unexpected KeyError: 'x'\n")


def test_only_a_lack_of_memory_is_called_one():
    lacks = [
        "CUDA out of memory. Tried to allocate 2.00 GiB",
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.",
        "[enforce fail at alloc_cpu.cpp:75] . DefaultCPUAllocator: not enough memory: you tried",
        "[Errno 12] Cannot allocate memory",
        "MPS backend out of memory (MPS allocated: 9 GB)",
    ]
    others = [
        "CUDA error: an illegal memory access was encountered",
        "CUDA error: misaligned address in shared memory",
        "the in-memory index is damaged",
        "memory format channels_last expects 4 dimensions",
        "unable to open shared memory object </torch_1>",
        "mmap of a memory-mapped file failed",
    ]
    for text in lacks:
        assert describe(RuntimeError(text)) == f"out of memory: {text}"
    for text in others:
        assert describe(RuntimeError(text)).startswith(f"unexpected RuntimeError: {text}\n")
