"""Apply weights on the line from the encoded empty prompt: ComfyUI's rule."""

from clipcond.weighting.rule import RuleWithNeeds, empty_if_weighted, lerp_from_empty

# h' = e + w * (h - e), e = the same row of the empty chunk: w = 0 gives e.
# Source: ComfyUI 0.3.64, comfy/sd1_clip.py (results; tests/parity/test_comfyui_tensors.py).
lerp = RuleWithNeeds(lerp_from_empty, empty_if_weighted, chunkwise=True)
