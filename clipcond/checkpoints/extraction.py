"""Write one tower out as transformers saves it: `text_model.` names, readable by every 5.x.

ChineseCLIP's text half has such names in a file, as within a whole ChineseCLIPModel. In a folder it
has none before its names, as ChineseCLIPTextModel has it, which reads all but the projection.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

from clipcond.checkpoints.hashes import tower_weights
from clipcond.checkpoints.models import TEXT_MODEL
from clipcond.checkpoints.places import WEIGHTS
from clipcond.checkpoints.tensor_names import PROJECTION
from clipcond.checkpoints.tower_settings import notes_of
from clipcond.errors import CheckpointError
from clipcond.files import new_folder, whole_folder, write_whole
from clipcond.towers.base import TextTower

# What can be written, by its config's model_type: the class that reads it.
CLASSES = {"clip_text_model": None, "chinese_clip_text_model": "ChineseCLIPTextModel"}


def extract(tower: TextTower, target: Path) -> list[Path]:
    """Write a tower to a file, or with its config and tokenizer to a folder.

    transformers 5.6 dropped `text_model.` from the names of a model without projection; it still
    reads them, while older versions read no others.

    Args:
        tower: a transformers CLIP or ChineseCLIP text model; written in its dtype.
        target: a path ending in .safetensors, or a folder, made if need be.
    Returns:
        the files written.
    Raises:
        CheckpointError: another kind of tower, or the target cannot be written.
    """
    from safetensors.torch import save_file

    model = getattr(tower, "model", None)
    config: Any = getattr(model, "config", None)
    if getattr(config, "model_type", None) not in CLASSES:
        raise CheckpointError(
            f"{tower.name!r} is no tower that a text model of transformers' CLIP or ChineseCLIP "
            f"can hold",
            tower.name,
        )
    is_file = target.suffix == ".safetensors"
    wrapper = "" if CLASSES[config.model_type] and not is_file else TEXT_MODEL
    weights = {
        name if name == PROJECTION else wrapper + name: tensor.contiguous()
        for name, tensor in tower_weights(tower).items()
    }
    metadata = {"format": "pt", "activation": str(config.hidden_act)}
    if is_file:
        metadata |= notes_of(model)
        with new_folder(target.parent):
            write_whole(target, lambda file: save_file(weights, file.name, metadata))
        return [target]
    with whole_folder(target) as folder:
        save_file(weights, str(folder / WEIGHTS), metadata)
        config = deepcopy(config)  # the live model's stays as it is
        config.architectures = [CLASSES[config.model_type] or type(model).__name__]
        config.dtype = tower.dtype
        config.save_pretrained(folder)
        tower.tokenizer.source.save_pretrained(folder)  # type: ignore[attr-defined]
        names = [path.name for path in folder.iterdir()]
    return sorted(target / name for name in names)
