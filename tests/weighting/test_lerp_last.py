"""Laws of lpw's rule for SDXL, on made-up hidden states: no tower, milliseconds."""

import pytest
import torch
from hypothesis import given

from clipcond.weighting.interpolation_last import lerp_last
from tests.weighting.test_adv_clip_emb import Encode, chunks_of, words


@given(words=words)
def test_tokens_move_on_the_line_from_the_eos_behind_the_text_of_their_own_chunk(words):
    chunks, encode = chunks_of(words), Encode()
    before = encode(chunks).hidden

    after = lerp_last(chunks, encode).hidden

    for i, chunk in enumerate(chunks):
        eos = before[i, chunk.places.stop]
        for row, weight in enumerate(chunk.weights):
            if weight == 1.0:
                assert torch.equal(after[i, row], before[i, row])
            else:
                torch.testing.assert_close(after[i, row], eos + weight * (before[i, row] - eos))


@given(words=words)
def test_nothing_else_is_encoded_and_pooled_is_untouched(words):
    chunks, encode = chunks_of(words), Encode()

    output = lerp_last(chunks, encode)

    assert encode.asked == {chunk.input_ids for chunk in chunks}
    assert torch.equal(output.pooled, encode(chunks).pooled)


def test_without_weights_the_encoding_itself_comes_back():
    chunks, encode = chunks_of([(1.0, 3), (1.0, 3)]), Encode()

    assert torch.equal(lerp_last(chunks, encode).hidden, encode(chunks).hidden)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_act_in_float32_and_come_back_in_the_towers_dtype(dtype):
    (chunk,) = chunks = chunks_of([(0.3, 2), (1.0, 1)])

    def encode(chunks):
        output = Encode()(chunks)
        return type(output)(output.hidden.to(dtype), output.pooled)

    before = encode(chunks).hidden[0].float()
    eos = before[chunk.places.stop]
    expected = eos + (before - eos) * torch.tensor(chunk.weights)[:, None]

    after = lerp_last(chunks, encode).hidden[0]

    assert after.dtype == dtype
    assert torch.equal(after[1:3], expected.to(dtype)[1:3])
