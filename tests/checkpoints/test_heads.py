"""The number of a tower's attention heads, which no tensor shows."""

import pytest
from safetensors.torch import save_file

from clipcond import load_tower
from clipcond.checkpoints import tower_settings
from clipcond.checkpoints.single_file import open_state_dict
from clipcond.cli import main
from clipcond.errors import ClipcondWarning
from tests.checkpoints.made_files import clip, open_clip, wrapped

LAYOUTS = {
    "transformers": wrapped,
    "SD1": lambda model: wrapped(model, "cond_stage_model.transformer."),
    "open_clip": open_clip,
}


@pytest.fixture(autouse=True)
def _only_published_widths(monkeypatch):
    monkeypatch.setattr(tower_settings, "PUBLISHED_WIDTHS", frozenset({512, 768, 1024, 1280}))


@pytest.fixture
def saved(tmp_path):
    def save(weights):
        path = tmp_path / "model.safetensors"
        save_file(weights, path)
        return path

    return save


@pytest.mark.slow
def test_a_guess_is_said(saved):
    """A width that no published tower has, in each layout: opening says what is assumed."""
    silent = []
    for width in (64, 128, 192, 320):
        for layout, names in LAYOUTS.items():
            path = saved(names(clip(width)))
            with pytest.warns(ClipcondWarning) as caught:
                load_tower(path, activation="quick_gelu")
            said = f"wide, 3 layers is a guess: {width // 64}, each 64 wide as in published towers"
            if said not in str(caught[0].message):
                silent.append((layout, width))
    assert not silent


def test_extracting_says_it_too(saved, tmp_path, capsys):
    path = saved(wrapped(clip(128)))

    out = str(tmp_path / "own")
    assert main(["checkpoint", str(path), "--extract", out, "--activation", "quick_gelu"]) == 0
    assert "is a guess: 2, each 64 wide" in " ".join(capsys.readouterr().err.split())
    assert main(["checkpoint", str(path)]) == 0
    assert "128, 2 (a guess)" in capsys.readouterr().out


@pytest.mark.filterwarnings("error::clipcond.errors.ClipcondWarning")
@pytest.mark.slow
def test_a_published_width_is_no_guess(saved):
    for width in (512, 768):
        tower = load_tower(saved(wrapped(clip(width, layers=1))), activation="quick_gelu")
        assert tower.model.config.num_attention_heads == width // 64


@pytest.mark.filterwarnings("error::clipcond.errors.ClipcondWarning")
def test_a_config_or_an_argument_settles_it(saved):
    model = clip(128)
    path = saved(wrapped(model))
    (path.parent / "config.json").write_text(model.config.to_json_string())
    assert load_tower(path).model.config.num_attention_heads == 2

    tower = open_state_dict(wrapped(model), name="x", n_heads=4, activation="quick_gelu")
    assert tower.model.config.num_attention_heads == 4
