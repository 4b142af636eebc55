"""Files of textual inversions: every layout, one tower and a pair, and what is refused."""

import pytest
import torch
from safetensors.torch import save_file

from clipcond.checkpoints.inversion_lookup import find_inversion, inversion_names
from clipcond.checkpoints.textual_inversions import (
    load_inversion,
)
from clipcond.errors import CheckpointError, TowerError
from tests.parity.models import tower_g, tower_l

PAIR = (
    "Inversions for Stable Diffusion XL have clip_l and clip_g, or are two files in one folder: "
    "learned_embeds.safetensors and learned_embeds_2.safetensors."
)
KNOWN = (
    "Known are diffusers' {'<name>': tensor}, A1111's string_to_param and emb_params, and XL's "
    "clip_l with clip_g."
)


def vectors(n=2, width=32, seed=5):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


def a1111(rows, name="called inside"):
    """As A1111 saves a `.pt`."""
    return {
        "string_to_token": {"*": 265},
        "string_to_param": {"*": rows},
        "name": name,
        "step": 500,
        "sd_checkpoint": None,
        "sd_checkpoint_name": None,
    }


def kept(tower, name):
    """The vectors that a name stands for in a tower."""
    return tower.inversions.vectors(list(tower.inversions.ids(name)))


def refused(path, **choices):
    """How a file is refused, its path left out; nothing is kept."""
    tower = tower_l()
    with pytest.raises(CheckpointError) as error:
        load_inversion([tower], path, **choices)
    assert tower.inversions.names == ()
    assert error.value.path == path
    return str(error.value).replace(repr(str(path)), "FILE")


@pytest.mark.parametrize(
    ("file", "values", "name"),
    [
        ("learned_embeds.safetensors", {"<foo>": vectors()}, "<foo>"),
        ("easy.safetensors", {"emb_params": vectors()}, "easy"),
        ("two words.SAFETENSORS", {"emb_params": vectors().half()}, "two words"),
        ("xl.safetensors", {"clip_g": vectors(2, 40), "clip_l": vectors()}, "xl"),
        ("easy.pt", a1111(vectors()), "easy"),
        ("easy.pt", a1111(torch.nn.Parameter(vectors())), "easy"),
        ("learned_embeds.bin", {"<foo>": vectors()}, "<foo>"),
        ("bare.pt", vectors(), "bare"),
    ],
)
def test_every_layout(tmp_path, file, values, name):
    path = tmp_path / file
    is_safe = path.suffix.lower() == ".safetensors"
    save_file(values, path) if is_safe else torch.save(values, path)
    tower = tower_l()

    assert load_inversion([tower], path, allow_pickle=not is_safe) == name
    assert tower.inversions.names == (name,)
    expected = vectors().half().float() if name == "two words" else vectors()
    assert torch.equal(kept(tower, name), expected)


def test_a_single_vector_may_have_one_dimension(tmp_path):
    save_file({"<foo>": vectors()[0]}, tmp_path / "learned_embeds.safetensors")
    tower = tower_l()
    load_inversion([tower], tmp_path / "learned_embeds.safetensors")

    assert torch.equal(kept(tower, "<foo>"), vectors()[:1])


def test_a_file_of_the_old_pickle_format(tmp_path):
    path = tmp_path / "old.pt"
    torch.save(a1111(vectors()), path, _use_new_zipfile_serialization=False)
    tower = tower_l()

    assert load_inversion([tower], path, allow_pickle=True) == "old"
    assert torch.equal(kept(tower, "old"), vectors())


def of_old_torch(rows):
    """A ParameterDict as torch 1.11 pickled it, which kept no keys beside the parameters."""
    made = torch.nn.ParameterDict({"*": torch.nn.Parameter(rows)})
    kept = ("training", "_parameters", "_buffers", "_modules", "_backward_hooks")
    made.__dict__ = {key: made.__dict__[key] for key in kept}
    return made


@pytest.mark.parametrize("made", [of_old_torch, lambda r: torch.nn.ParameterDict({"*": r})])
def test_a_file_of_the_first_textual_inversions(tmp_path, made):
    values = {"string_to_token": {"*": torch.tensor(265)}, "string_to_param": made(vectors())}
    path = tmp_path / "midjourney.pt"
    torch.save(values, path)
    tower = tower_l()

    assert load_inversion([tower], path, allow_pickle=True) == "midjourney"
    assert torch.equal(kept(tower, "midjourney"), vectors())


def test_a_parameter_dict_that_holds_something_else(tmp_path):
    forged = of_old_torch(vectors())
    forged._parameters = ["no", "mapping"]
    torch.save({"string_to_param": forged}, tmp_path / "foo.pt")

    assert refused(tmp_path / "foo.pt", allow_pickle=True) == (
        f"FILE: no textual inversion: it holds no tensors\n{KNOWN}"
    )
    torch.save(forged, tmp_path / "foo.pt")
    assert refused(tmp_path / "foo.pt", allow_pickle=True).startswith(
        "FILE holds a module, not tensors by name"
    )


def test_another_name(tmp_path):
    save_file({"<foo>": vectors()}, tmp_path / "a.safetensors")
    tower = tower_l()

    assert load_inversion([tower], str(tmp_path / "a.safetensors"), "my style") == "my style"
    assert inversion_names([tower]) == ("my style",)


def test_a_folder_of_diffusers(tmp_path):
    save_file({"<foo>": vectors()}, tmp_path / "learned_embeds.safetensors")

    assert load_inversion([tower_l()], tmp_path) == "<foo>"


@pytest.mark.parametrize(
    ("values", "token", "name"),
    [
        (vectors(), "foo", "foo"),
        ({"<foo>": vectors()}, None, "<foo>"),
        ({"<foo>": vectors()}, "bar", "bar"),
        (a1111(vectors()), None, "called inside"),
        ({"emb_params": vectors()}, "foo", "foo"),
    ],
)
def test_tensors_need_no_file(values, token, name):
    tower = tower_l()

    assert load_inversion([tower], values, token) == name
    assert torch.equal(kept(tower, name), vectors())


def test_a_pair_takes_what_is_its_own():
    pair = [tower_l(), tower_g()]

    assert load_inversion(pair, {"clip_g": vectors(3, 40), "clip_l": vectors(2)}, "foo") == "foo"
    assert torch.equal(kept(pair[0], "foo"), vectors(2))
    assert torch.equal(kept(pair[1], "foo"), vectors(3, 40))


def test_a_tower_alone_takes_of_a_pairs_file_what_fits():
    values = {"clip_l": vectors(2), "clip_g": vectors(3, 40)}
    for tower, expected in ((tower_l(), vectors(2)), (tower_g(), vectors(3, 40))):
        load_inversion([tower], values, "foo")

        assert torch.equal(kept(tower, "foo"), expected)


REFUSED_BY_A_TOWER = [
    (vectors(), None, "a textual inversion needs a name\nSay token='...'."),
    ({"emb_params": vectors()}, None, "a textual inversion needs a name\nSay token='...'."),
    (
        {"clip_g": vectors(1, 40)},
        "foo",
        "the vectors of 'foo' are 40 wide; 'L' reads 32\nIt was made for another model: 768 is "
        "Stable Diffusion 1, 1024 is 2, 768 and 1280 together are XL.",
    ),
    ({}, "foo", f"no textual inversion: it holds 0 values: nothing\n{KNOWN}"),
    (
        {"a.weight": vectors(), "b": vectors()},
        None,
        f"no textual inversion: it holds 2 values: 'a.weight', 'b'\n{KNOWN}",
    ),
    ({"a": 1}, None, f"no textual inversion: it holds 1 value: 'a'\n{KNOWN}"),
    (
        {"string_to_param": {}},
        None,
        f"no textual inversion: it holds 1 value: 'string_to_param'\n{KNOWN}",
    ),
    ([1, 2], None, f"it holds list, no textual inversion\n{KNOWN}"),
    (
        vectors(),
        "<|endoftext|>",
        "the tokenizer of 'L' has a token '<|endoftext|>' already\n"
        "Say another token=, or unload it where it was loaded.",
    ),
]


@pytest.mark.parametrize(("values", "token", "message"), REFUSED_BY_A_TOWER)
def test_what_no_tower_takes(values, token, message):
    tower = tower_l()

    with pytest.raises(TowerError) as error:
        load_inversion([tower], values, token)
    assert str(error.value) == message
    assert tower.inversions.names == ()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            vectors(),
            f"vectors [2, 32] for one tower; this is a pair, of 32 and 40\n{PAIR}",
        ),
        (
            {"clip_l": vectors()},
            f"there are vectors for one tower of the pair only: no clip_g\n{PAIR}",
        ),
        (
            {"clip_l": vectors(), "clip_g": torch.full((1, 40), float("inf"))},
            "the vectors of 'foo' hold NaN or infinite values\nThe file is damaged.",
        ),
    ],
)
def test_a_pair_takes_all_or_nothing(values, message):
    pair = [tower_l(), tower_g()]

    with pytest.raises(TowerError) as error:
        load_inversion(pair, values, "foo")
    assert str(error.value) == message
    assert inversion_names(pair) == ()


class NoNames:
    name = "other"


def test_a_tower_that_takes_none():
    with pytest.raises(TowerError) as error:
        load_inversion([NoNames()], vectors(), "foo")
    assert str(error.value) == "'other' takes no textual inversions\nTowers of CLIP do."
    assert inversion_names([NoNames()]) == ()


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("foo", "foo"),
        ("foo.pt", "foo"),
        ("foo.safetensors", "foo"),
        ("FOO", "FOO"),
        ("s0", "<s0>"),
        ("<s0>", "<s0>"),
        ("s0.bin", "<s0>"),
        ("bar.pt", "bar.pt"),
        ("bar", None),
        (".pt", None),
        ("cat", None),
    ],
)
def test_what_a_reference_finds(reference, found):
    tower = tower_l()
    for name in ("foo", "<s0>", "bar.pt"):
        tower.inversions.add(name, vectors())

    assert find_inversion([NoTokens(), tower], reference) == found


class NoTokens:
    tokenizer = None
