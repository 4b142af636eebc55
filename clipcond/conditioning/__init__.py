"""Turn prompts into what a diffusion model is conditioned on."""

from clipcond.conditioning.conditioner import Conditioner
from clipcond.conditioning.dialect import Dialect
from clipcond.conditioning.dialects import DIALECTS
from clipcond.conditioning.report import Report
from clipcond.conditioning.results import Conditioning, Guided

__all__ = ["DIALECTS", "Conditioner", "Conditioning", "Dialect", "Guided", "Report"]
