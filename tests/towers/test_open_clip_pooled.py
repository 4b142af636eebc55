"""The pooled vectors of open_clip's text models, from what pooling reads of them."""

from types import SimpleNamespace

import pytest
import torch

from clipcond.errors import TowerError
from clipcond.towers.open_clip_model import HuggingFaceText, ResblocksText


def mean(states, mask):
    kept = states.last_hidden_state * mask.unsqueeze(-1)
    return kept.sum(dim=1) / mask.sum(dim=1, keepdim=True)


def test_the_mean_is_taken_over_the_tokens_without_the_padding():
    encoder, config = SimpleNamespace(layer=[]), SimpleNamespace(pad_token_id=1)
    table = torch.nn.Embedding(10, 3)
    transformer = SimpleNamespace(
        encoder=encoder,
        get_input_embeddings=lambda: table,
        embeddings=SimpleNamespace(LayerNorm=torch.nn.LayerNorm(3)),
    )
    text = SimpleNamespace(transformer=transformer, config=config, pooler=mean, proj=torch.neg)
    hidden = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    input_ids = torch.tensor([[0, 7, 2, 1, 1], [0, 7, 8, 9, 2]])

    pooled = HuggingFaceText(text).pool(hidden, input_ids)

    expected = torch.stack([-hidden[0, :3].mean(dim=0), -hidden[1].mean(dim=0)])
    torch.testing.assert_close(pooled, expected)


WIDTH, N, CONTEXT, EOS = 4, 3, 5, 9


def text_model(**choices):
    """As open_clip's TextTransformer: what pooling reads of it."""
    norm = torch.nn.LayerNorm(WIDTH)
    torch.nn.init.normal_(norm.weight, generator=seeded(1))
    torch.nn.init.normal_(norm.bias, generator=seeded(2))
    own = {
        "transformer": SimpleNamespace(resblocks=[], batch_first=True),
        "token_embedding": torch.nn.Embedding(10, WIDTH),
        "positional_embedding": torch.zeros(CONTEXT, WIDTH),
        "ln_final": norm,
        "text_projection": torch.randn(WIDTH, 2, generator=seeded(3)),
    }
    return SimpleNamespace(**{**own, **choices})


def seeded(seed):
    return torch.Generator().manual_seed(seed)


INPUT_IDS = torch.tensor([[8, 1, EOS, 0, 0], [8, 1, 2, 3, EOS], [8, EOS, 0, 0, 9]])
# how a model says where it pools -> the position of each chunk
POOLED_AT = [
    ({}, [2, 4, 1]),
    ({"pool_type": "argmax"}, [2, 4, 1]),
    ({"text_pool_type": "argmax", "pool_type": "last"}, [2, 4, 1]),
    ({"pool_type": "eos", "eos_id": 1}, [1, 1, 0]),
    ({"text_pool_type": "eos", "text_eos_id": 3, "eos_id": 1}, [0, 3, 0]),
    ({"pool_type": "first"}, [0, 0, 0]),
    ({"pool_type": "last"}, [4, 4, 4]),
]


@torch.no_grad()
def test_the_pooled_state_is_normed_and_projected():
    output = torch.randn(N, CONTEXT, WIDTH, generator=seeded(0))
    for choices, places in POOLED_AT:
        text = text_model(**choices)
        states = text.ln_final(output[range(N), places])
        older = SimpleNamespace(resblocks=[], batch_first=False)
        linear = torch.nn.Linear(WIDTH, 2)
        for own, given, expected in (
            ({}, output, states @ text.text_projection),
            ({"transformer": older}, output.transpose(0, 1), states @ text.text_projection),
            ({"text_projection": None}, output, states),
            ({"text_projection": linear}, output, linear(states)),
        ):
            pooled = ResblocksText(text_model(**choices, **own)).pool(given, INPUT_IDS)
            torch.testing.assert_close(pooled, expected, msg=f"{choices} {list(own)}")


@torch.no_grad()
def test_cocas_last_position_is_its_pooled_state():
    output = torch.randn(N, CONTEXT + 1, WIDTH, generator=seeded(0))
    table = torch.zeros(CONTEXT + 1, WIDTH)
    text = text_model(cls_emb=torch.zeros(WIDTH), positional_embedding=table)
    ours = ResblocksText(text)

    assert ours.context_length == CONTEXT
    torch.testing.assert_close(ours.hidden(output, False), output[:, :-1])
    torch.testing.assert_close(ours.hidden(output, True), text.ln_final(output[:, :-1]))
    pooled = text.ln_final(output[:, -1]) @ text.text_projection
    torch.testing.assert_close(ours.pool(output, INPUT_IDS), pooled)


def test_other_kinds_of_pooling_are_refused():
    ours = ResblocksText(text_model(pool_type="none"))

    with pytest.raises(TowerError, match="pool_type 'none' has no pooled output"):
        ours.pool(torch.zeros(N, CONTEXT, WIDTH), INPUT_IDS)
