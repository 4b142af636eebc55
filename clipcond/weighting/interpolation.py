"""Apply weights on the line from the encoded empty prompt: ComfyUI's rule."""

from clipcond.weighting.rule import RuleWithNeeds, empty_if_weighted, lerp_from_empty

lerp = RuleWithNeeds(lerp_from_empty, empty_if_weighted, chunkwise=True)
