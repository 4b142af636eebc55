"""The pooled vector of a Hugging Face text model in open_clip: padding does not count."""

from types import SimpleNamespace

import torch

from clipcond.towers.open_clip import HuggingFaceText


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
