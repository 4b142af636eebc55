"""Keep what the tests measure: one JSON file, if `CLIPCOND_CUDA_JSON` names it."""

import json
import os
from datetime import date
from pathlib import Path

import torch

__all__ = ["record"]


def record(name: str, value: object) -> None:
    """Add a figure to the file, with card, versions and date."""
    path = os.environ.get("CLIPCOND_CUDA_JSON")
    if not path:
        return
    file = Path(path)
    known = json.loads(file.read_text()) if file.exists() else {}
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "rehearsal on a CPU"
    known |= {"card": card, "torch": torch.__version__, "date": date.today().isoformat()}
    known.setdefault("figures", {})[name] = value
    file.write_text(json.dumps(known, indent=1))
