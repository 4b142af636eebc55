"""Textual inversions in prompts: each dialect's way to write them, weights, pooled vectors."""

import copy
from functools import lru_cache

import pytest
import torch
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from clipcond import Conditioner
from clipcond.conditioning.dialects import DIALECTS
from clipcond.errors import TowerError
from clipcond.towers import OpenAIClipTower
from tests.conditioning.conditioners import CLOSE, counted_tower, pair, single, warnings_of
from tests.failures import failures_of
from tests.parity.models import model_g, model_l, tokenizer

L, G = 32, 40
quiet = pytest.mark.filterwarnings("ignore::clipcond.errors.PromptWarning")
BARE = [name for name in DIALECTS if not name.startswith("comfyui")]


def vectors(n=2, width=L, seed=5):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


def with_foo(n=2, **choices):
    conditioner = single(**choices)
    conditioner.load_inversion(vectors(n), "foo")
    return conditioner


def added(n=2, name="foos", **choices):
    """The same inversion as diffusers adds it: rows of the model's table, tokens of its own."""
    return Conditioner(OpenAIClipTower(*_with_rows(n, name), name="L"), **choices)


@lru_cache
def _with_rows(n, name):
    model, own = copy.deepcopy(model_l()), copy.deepcopy(tokenizer())
    model.resize_token_embeddings(len(own) + n, mean_resizing=False)
    for i, row in enumerate(vectors(n)):
        own.add_tokens(f"{name}_{i}" if i else name)
        model.get_input_embeddings().weight.data[len(own) - 1] = row
    return model.eval(), own


def content(conditioner, prompt):
    return [list(c.input_ids[1 : 1 + c.content]) for c in conditioner.chunks(prompt)]


@quiet
@pytest.mark.parametrize("dialect", BARE)
@pytest.mark.parametrize("prompt", ["foos", "a foos, cat", "a photo of (foos cat:1.3)"])
def test_an_inversion_of_ours_is_one_of_diffusers(dialect, prompt):
    ours, theirs = single(dialect=dialect), added(3, dialect=dialect)
    ours.load_inversion(vectors(3), "foos")

    # same vectors, same modules: no tolerance
    assert torch.equal(ours(prompt).embeds, theirs(prompt).embeds)
    assert not torch.equal(ours(prompt).embeds, single(dialect=dialect)(prompt).embeds)
    both = ours.guided(prompt, "foos")
    assert torch.equal(both.negative.embeds, theirs.guided(prompt, "foos").negative.embeds)


@quiet
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_long_prompt_never_cuts_one(dialect):
    conditioner = with_foo(4, dialect=dialect)
    word = "embedding:foo " if dialect.startswith("comfyui") else "foo, "
    ids = conditioner.towers[0].inversions.ids("foo")

    chunks = content(conditioner, word * 20) + content(conditioner, "a " + word * 35)
    assert len(chunks) >= (4 if dialect != "diffusers" else 2)
    for row in chunks:
        firsts = [i for i, token_id in enumerate(row) if token_id == ids[0]]
        assert [tuple(row[i : i + 4]) for i in firsts] == [ids] * len(firsts)
        assert sum(i in ids for i in row) == 4 * len(firsts)


@pytest.mark.parametrize("dialect", ["comfyui", "comfyui_words"])
def test_comfyui_refers_to_it(dialect):
    conditioner = with_foo(dialect=dialect)
    foo = list(conditioner.towers[0].inversions.ids("foo"))
    tokens = tokenizer()

    def ids(text):
        return tokens(text, add_special_tokens=False).input_ids

    for prompt, expected in {
        "a embedding:foo cat": [*ids("a"), *foo, *ids("cat")],
        "a embedding:foo.pt, cat": [*ids("a"), *foo, *ids(", cat")],
        "embedding:FOO": foo,
        "a foo": ids("a foo"),
        "(a embedding:foo:1.2)": [*ids("a"), *foo],
    }.items():
        assert content(conditioner, prompt) == [expected], prompt
    (chunk,) = conditioner.chunks("a (embedding:foo:1.2)")
    assert chunk.weights[1:5] == (1.0, 1.2, 1.2, 1.0)


def test_comfyui_refers_to_those_of_diffusers():
    theirs = added(3, name="<s1>", dialect="comfyui")

    for reference in ("s1", "<s1>", "s1.safetensors"):
        assert len(content(theirs, f"embedding:{reference}")[0]) == 3
    assert theirs.inversions == ()


def test_comfyui_still_leaves_out_what_is_missing():
    conditioner = with_foo(dialect="comfyui")

    messages = warnings_of(lambda: conditioner("embedding:bar embedding:foo"))
    assert messages == [
        "there is no embedding 'bar'; its name is left out\n"
        "  embedding:bar embedding:foo\n"
        "  ^\n"
        "Load its file: conditioner.load_inversion(file)."
    ]


def test_a_report_shows_every_vector():
    report = with_foo(dialect="comfyui").explain("a (embedding:foo:1.2)").json()

    assert report["chunks"][0]["tokens"][:5] == [
        "<|startoftext|>", "a", "foo", "foo_1", "<|endoftext|>",
    ]  # fmt: skip
    assert report["segments"][1] == {"text": "foo", "weight": 1.2, "start": 3, "stop": 16}


@quiet
def test_one_longer_than_a_chunk_is_cut_with_a_warning():
    conditioner = with_foo(80)
    message = "a textual inversion has more vectors than the 75 tokens of a chunk of 'L': it is cut"

    assert warnings_of(lambda: conditioner("a foo cat")) == [message]
    assert [len(row) for row in content(conditioner, "a foo cat")] == [1, 75, 6]
    assert torch.equal(conditioner("a foo cat").embeds, added(80)("a foos cat").embeds)
    assert warnings_of(lambda: with_foo(75)("a foo cat")) == []


def test_other_vectors_under_the_same_name_are_seen():
    tower, calls = counted_tower()
    conditioner = Conditioner(tower)
    plain = conditioner("a foo").embeds
    conditioner.load_inversion(vectors(), "foo")
    first = conditioner("a foo").embeds
    again = conditioner("a foo").embeds
    conditioner.remove_inversion("foo")
    without = conditioner("a foo").embeds
    conditioner.load_inversion(vectors(seed=6), "foo")
    other = conditioner("a foo").embeds

    assert torch.equal(first, again)
    assert torch.equal(plain, without)
    assert len({tuple(each.flatten().tolist()) for each in (plain, first, other)}) == 3
    assert calls == [1, 1, 1]  # nothing is encoded twice, not even after the removal


def test_loading_and_removing_by_file(tmp_path):
    save_file({"emb_params": vectors()}, tmp_path / "foo.safetensors")
    conditioner = single()

    assert conditioner.load_inversion(tmp_path / "foo.safetensors") == "foo"
    assert conditioner.inversions == ("foo",)
    conditioner.remove_inversion("foo")
    assert conditioner.inversions == ()
    with pytest.raises(TowerError) as error:
        conditioner.remove_inversion("foo")
    assert str(error.value) == "'L' has no textual inversion 'foo'; it has: none"


# --- pooled: at the first EOS by id -------------------------------------------------------------


def published(model_class, model, eos=2):
    """The model with the wrong eos id of the configs published with Stable Diffusion."""
    config = CLIPTextConfig(**{**model.config.to_dict(), "eos_token_id": eos})
    own = model_class(config)
    own.load_state_dict(model.state_dict())
    return own.eval()


def reference(model, input_ids, end):
    """The pooled vector, computed by hand: the last layer, normed, at position `end`, projected."""
    with torch.no_grad():
        last = model(input_ids=input_ids).last_hidden_state[:, end]
        projection = getattr(model, "text_projection", None)
        return last if projection is None else projection(last)


@pytest.mark.parametrize("eos", [2, 49407])
@pytest.mark.parametrize("which", ["L", "G"])
@pytest.mark.parametrize("n_vectors", [1, 3])
def test_pooled_is_taken_at_the_first_eos_not_at_the_largest_id(eos, which, n_vectors):
    is_l = which == "L"
    model_class = CLIPTextModel if is_l else CLIPTextModelWithProjection
    model = published(model_class, model_l() if is_l else model_g(), eos)
    own = copy.deepcopy(tokenizer("<|endoftext|>" if is_l else "!"))
    width = L if is_l else G
    model.resize_token_embeddings(len(own) + n_vectors, mean_resizing=False)
    for i, row in enumerate(vectors(n_vectors, width)):
        own.add_tokens(f"<foo>_{i}" if i else "<foo>")
        model.get_input_embeddings().weight.data[len(own) - 1] = row
    ours = Conditioner(OpenAIClipTower(model, own), pooled=True)

    # a, <foo>..., cat, and the EOS behind them
    (chunk,) = ours.chunks("a <foo> cat")
    ids, end = torch.tensor([chunk.input_ids]), n_vectors + 3
    assert chunk.input_ids.index(49407) == end
    assert max(chunk.input_ids) > 49407
    expected = reference(model, ids, end)
    at_the_largest = reference(model, ids, int(ids.argmax()))

    assert torch.equal(ours("a <foo> cat").pooled, expected)
    pooled = ours.guided("a <foo> cat", "<foo>")
    torch.testing.assert_close(pooled.positive.pooled, expected, **CLOSE)
    (negative,) = ours.chunks("<foo>")
    expected = reference(model, torch.tensor([negative.input_ids]), n_vectors + 1)
    torch.testing.assert_close(pooled.negative.pooled, expected, **CLOSE)
    assert (at_the_largest - pooled.positive.pooled).abs().max() > 0.1


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_pair_pools_the_second_tower_at_its_first_eos(dialect):
    ours = pair(dialect=dialect)
    ours.load_inversion({"clip_l": vectors(2), "clip_g": vectors(3, G)}, "foo")
    sign = "embedding:foo" if dialect.startswith("comfyui") else "foo"
    model, own = copy.deepcopy(model_g()), tokenizer("!")
    first = len(own)
    model.resize_token_embeddings(first + 3, mean_resizing=False)
    model.get_input_embeddings().weight.data[first:] = vectors(3, G)
    # sd_embed and lpw frame the second tower's chunks their own way
    frame, special = ours.dialect.frame, ours.towers[1].special
    special = special if frame is None else frame(special)
    words = own(f"a {'! ! !'} cat", add_special_tokens=False).input_ids
    words[1:-1] = range(first, first + 3)
    padding = [special.pad] * (special.room - len(words))
    closing = [*padding, special.eos] if special.eos_last else [special.eos, *padding]
    ids = torch.tensor([[special.bos, *words, *closing]])

    expected = reference(model, ids, ids[0].tolist().index(special.eos))
    pooled = ours.guided(f"a {sign} cat", f"a {sign} cat")
    torch.testing.assert_close(pooled.positive.pooled, expected, **CLOSE)
    torch.testing.assert_close(pooled.negative.pooled, expected, **CLOSE)


def test_a_pair_reads_each_towers_own_vectors():
    ours = pair()
    ours.load_inversion({"clip_l": vectors(2), "clip_g": vectors(3, G)}, "foo")
    alone = single(layer=ours.layers()[0])
    alone.load_inversion(vectors(2), "foo")

    assert torch.equal(ours("a foo").embeds[..., :L], alone("a foo").embeds)
    assert not torch.equal(ours("a foo").embeds, pair()("a foo").embeds)


def test_swapping_positive_and_negative_swaps_the_results():
    one, other = with_foo().guided("a foo", "cat"), with_foo().guided("cat", "a foo")

    assert torch.equal(one.positive.embeds, other.negative.embeds)
    assert torch.equal(one.negative.embeds, other.positive.embeds)


def test_a_bare_name_where_names_need_a_prefix():
    conditioner = with_foo(dialect="comfyui")
    conditioner.load_inversion(vectors(1), "Easy-Neg")
    conditioner.load_inversion(vectors(1), "<sks>")

    def check(case):
        prompt, position, name = case
        (issue,) = conditioner.check(prompt)
        assert (issue.code, issue.position) == ("inversion", position)
        assert (
            issue.message
            == f"{issue.words[0]!r} is a loaded textual inversion, but only words here"
        )
        assert issue.remedy == f"Write embedding:{name} in this dialect."
        mended = prompt.replace(issue.words[0], f" embedding:{name}")
        assert conditioner.check(mended) == ()

    cases = [
        *(("foo", 0, "foo"), ("a foo, cat", 2, "foo"), ("a (FOO:1.3) b", 3, "foo")),
        *(("bad, easy-neg", 5, "Easy-Neg"), ("a <sks> dog", 2, "<sks>"), ("style:foo", 6, "foo")),
        ("a \\(x\\) foo", 8, "foo"),
    ]
    assert not failures_of(check, cases)
    silent = [
        "a cat",
        "food",
        "a foo-fighter",
        "embedding:foo",
        "a (embedding:foo:1.2)",
        "x embedding:foo,",
    ]
    assert [prompt for prompt in silent if conditioner.check(prompt)] == []
    assert single(dialect="comfyui").check("a foo") == ()
    for dialect in BARE:
        assert with_foo(dialect=dialect).check("a foo") == (), dialect
