"""Settings and labels that are typed into a prompt are warned of; sentences with them are not."""

from clipcond.prompt import SYNTAXES, parse
from clipcond.prompt.lookalikes import with_lookalikes
from tests.failures import failures_of

SETTINGS = [
    *("steps=20", "sampler=euler, steps=20", "cfg=7, seed=12345", "width=512, height=768"),
    *("num_inference_steps=20", "num_inference_steps: 20, guidance_scale: 7.5"),
    *("Guidance scale: 7.5", "Width: 512, Height: 768", "Resolution: 512x768"),
    *("VAE: vae-ft-mse", "Model: dreamshaper_8", "Checkpoint: sdxl", "Scheduler: karras"),
    *("upscaler: 4x-UltraSharp", "Steps 20 | CFG 7 | Seed 1234", "Clip Skip 2", "clip skip: 2"),
    *("Sampler Euler a", "clip_skip=2", "cfg_scale: 5", "Scheduler = dpm++"),
]
LABELS = [
    *(("a cat\nUC: lowres", "UC:"), ("a cat, UC: lowres", "UC:"), ("a\n\nUC:\nlowres", "UC:")),
    *(("a cat Undesired content: x", "Undesired content:"), ("a cat Negatives: x", "Negatives:")),
    *(("a cat Neg prompt - x", "Neg prompt - "), ("a cat, 不要：模糊", "不要：")),
    *(("一只猫。避免出现：水印", "避免出现："), ("a cat\n---\nnegative\nblurry", "negative")),
    *(("a cat\nUC\nblurry", "UC"), ("cat; neg prompt = dog", "neg prompt = ")),
]
FRAMES = [
    *("0: a cat\n16: a dog", "0: a cat, 30: a dog", '"0": "a cat", "30": "a dog"'),
    *('{"0": "a cat", "30": "a dog"}', "0: a red fox; 24: an owl; 48: a bear"),
]
ORDINARY = [
    *("a poem\nnegative space\nwhite", "10: breakfast\n12: lunch", "1: cat\n2: dog\n3: fox"),
    *("0: no pain, 10: worst pain", "0: none, 1: some", "a screen. Resolution: 1024x768"),
]


def found(prompt: str, syntax: str, code: str) -> list[str]:
    issues = with_lookalikes(parse(prompt, syntax), fullwidth=None).issues
    return [issue.words[0] for issue in issues if issue.code == code]


def test_settings():
    def check(setting):
        for syntax in sorted(SYNTAXES):
            prompt = f"a cat, {setting}"
            assert found(prompt, syntax, "pasted-parameters") == [setting], syntax
            assert found(f"a cat\n{setting}", syntax, "pasted-parameters") == [setting], syntax

    assert not failures_of(check, SETTINGS)


def test_labels():
    def check(case):
        prompt, label = case
        for syntax in sorted(SYNTAXES):
            assert found(prompt, syntax, "negative-label") == [label], syntax

    assert not failures_of(check, LABELS)


def test_frames():
    def check(prompt):
        for syntax in sorted({*SYNTAXES} - {"plain"}):
            assert found(prompt, syntax, "keyframes") == [prompt], syntax
        assert found(prompt, "plain", "keyframes") == []

    assert not failures_of(check, FRAMES)


def test_lines_that_are_ordinary():
    for prompt in ORDINARY:
        for syntax in sorted(SYNTAXES):
            assert with_lookalikes(parse(prompt, syntax)).issues == (), (prompt, syntax)
