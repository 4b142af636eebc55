"""A tower that means nothing to the UNet is refused or warned of: why, and what to do."""

import copy
import re

import pytest
import torch

from clipcond.adapters import tower_fingerprint
from clipcond.pipelines.compatibility import ALIGN
from clipcond.towers import OpenAIClipTower
from tests.adapters.made import adapter, record
from tests.parity.models import tokenizer, tower_g, tower_l
from tests.pipelines.aligned import aligned, refused, warned
from tests.towers.chinese import tower_zh

ALL_THE_SAME = "allow_unaligned=True takes it all the same."


def test_another_tower_without_an_adapter_is_refused(pipe):
    assert refused(pipe, tower=tower_zh()) == (
        "'zh' was not trained with this pipeline's UNet (it is a ChineseClipTower): what it says "
        "means nothing to the UNet, and pictures would not follow the prompt.\n"
        f"Give an adapter that was aligned to both: adapter='...'. To train one: {ALIGN}\n"
        f"{ALL_THE_SAME}"
    )
    assert ALIGN.startswith("clipcond align ")


def test_another_tower_can_be_tried_all_the_same(pipe):
    message = warned(pipe, tower=tower_zh(), allow_unaligned=True)

    assert message == refused(pipe, tower=tower_zh()).splitlines()[0]
    assert pipe.conditioner.adapter is None


def test_a_tower_that_is_deeper_or_reads_other_words_is_refused(pipe):
    tower = tower_l()
    deeper = OpenAIClipTower(copy.deepcopy(tower.model), tokenizer(), name="deeper")
    layers = deeper._parts().encoder.layers
    layers.append(copy.deepcopy(layers[-1]))
    assert "UNet (it has 5 blocks, the pipeline's own has 4)" in refused(pipe, tower=deeper)

    other = tower_l()
    other.tokenizer = copy.copy(other.tokenizer)
    other.tokenizer.encode = lambda text: [7, 8, 9]
    assert "UNet (it has another vocabulary)" in refused(pipe, tower=other)


def test_a_tower_of_the_same_shape_that_was_trained_apart_is_warned_of(pipe):
    tower = OpenAIClipTower(copy.deepcopy(tower_l().model), tokenizer(), name="apart")
    with torch.no_grad():
        table = tower._table()
        table.copy_(0.5 * torch.randn(table.shape, generator=torch.Generator().manual_seed(0)))
    message = warned(pipe, tower=tower)

    assert re.fullmatch(
        r"'apart' has the shape of the pipeline's own text tower, but seems to have been trained "
        r"apart from it \(cosine of their token embeddings -?0\.0\d\): pictures may not follow the "
        r"prompt",
        message,
    )


def test_an_adapter_of_another_tower_is_refused(pipe):
    made = aligned(pipe, tower="0" * 64, tower_name="OFA-Sys/x")
    found = tower_fingerprint(tower_zh())
    message = refused(pipe, tower=tower_zh(), adapter=made)

    assert message == (
        "The adapter was aligned to another tower, 'OFA-Sys/x': its hash begins with "
        f"000000000000, that of 'zh' with {found[:12]}.\n"
        f"Use that tower, or align an adapter to this one: {ALIGN}\n{ALL_THE_SAME}"
    )
    warning = warned(pipe, tower=tower_zh(), adapter=made, allow_unaligned=True)
    assert warning == message.splitlines()[0]


def test_a_tower_cast_to_bfloat16_is_not_recognised(pipe):
    tower = copy.deepcopy(tower_zh())
    tower.model.to(torch.bfloat16)
    message = refused(pipe, tower=tower, adapter=aligned(pipe))

    assert "Use that tower (in bfloat16 it is not recognised: open it in float32, " in message


def test_an_adapter_of_another_family_is_refused(pipe):
    message = refused(pipe, tower=tower_zh(), adapter=aligned(pipe, family="sd2"))

    assert message == (
        "The adapter was aligned to a UNet of family 'sd2', but this pipeline's is 'sd1': the same "
        "tower needs another adapter for it.\n"
        f"Use an adapter aligned to this UNet. To train one: {ALIGN}\n{ALL_THE_SAME}"
    )


def test_an_adapter_without_a_record_is_refused(pipe):
    made = adapter()

    assert refused(pipe, tower=tower_zh(), adapter=made) == (
        "The adapter has no alignment record: nothing says to which tower and UNet it was "
        "aligned.\nSave it with its record (clipcond.adapters.save_adapter) and give the file.\n"
        f"{ALL_THE_SAME}"
    )
    assert warned(pipe, tower=tower_zh(), adapter=made, allow_unaligned=True).startswith(
        "The adapter has no alignment record"
    )


@pytest.mark.parametrize("allow_unaligned", [False, True])
@pytest.mark.parametrize(
    ("sizes", "tower", "message"),
    [
        (
            {},
            tower_g,
            "The adapter reads a tower 32 wide, but 'G' is 40 wide.\n"
            "Use the tower that it was aligned to, 'zh'.",
        ),
        (
            {"width": 48},
            tower_zh,
            "The text embeddings are 48 wide, but this pipeline's UNet reads 32.\n"
            f"Use an adapter aligned to this UNet. To train one: {ALIGN}",
        ),
    ],
)
def test_shapes_that_cannot_work_are_always_refused(pipe, sizes, tower, message, allow_unaligned):
    made = adapter(**sizes)
    made.record = record()
    choices = {"tower": tower(), "adapter": made, "allow_unaligned": allow_unaligned}

    assert refused(pipe, **choices) == message


@pytest.mark.parametrize("allow_unaligned", [False, True])
def test_a_wide_tower_hears_of_adapters(pipe, allow_unaligned):
    assert refused(pipe, tower=tower_g(), allow_unaligned=allow_unaligned) == (
        "The text embeddings are 40 wide, but this pipeline's UNet reads 32.\n"
        "Use the text tower that the UNet was trained with, or an adapter for this one. "
        f"To train one: {ALIGN}"
    )


def test_an_adapter_without_its_tower(pipe):
    assert refused(pipe, adapter=aligned(pipe)) == (
        "An adapter was given without the tower that it reads.\n"
        "Say tower=...: it was aligned to 'zh'."
    )
    assert refused(pipe, adapter=adapter()).endswith("\nSay tower=....")  # without a record
    assert refused(pipe, tower=tower_zh(), adapter=7) == (
        "adapter=7 is no adapter.\nGive the path of its file, or an Adapter."
    )
