"""OpenCLIP's text towers, run by the modules of an open_clip model."""

from __future__ import annotations

from clipcond.towers.open_clip_model import (
    HuggingFaceText,
    OpenClipModelTower,
    ResblocksText,
    text_module,
)


class OpenClipTower(OpenClipModelTower):
    """A tower around open_clip's `CLIP`, `CustomTextCLIP`, `CoCa`, or the text model of one.

    The model's own modules run. Text transformers of Hugging Face within open_clip (roberta,
    xlm-roberta, bert) have no final norm; `HiddenLayer.final_norm` changes nothing there.
    """

    def _text(self) -> ResblocksText | HuggingFaceText:
        text = text_module(self.model)
        is_hugging_face = hasattr(text, "pooler") and hasattr(text, "proj")
        return HuggingFaceText(text) if is_hugging_face else ResblocksText(text)
