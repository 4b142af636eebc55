"""Pipelines of the zoo, changed so that what they draw over time can be compared."""

import torch

from tests.pipelines import zoo
from tests.pipelines.models import WIDTH


def wuerstchen_prior():
    pipe = zoo.make("WuerstchenPriorPipeline")
    return pipe.to(torch.float64)  # it divides by almost nothing, which makes rounding large


def kandinsky_prior():
    pipe = zoo.make("KandinskyV22PriorPipeline")
    pipe.get_zero_embed = lambda n, device: torch.zeros(n, WIDTH)
    return pipe
