"""What both editions share: the first one's scripts, which import each other by bare names."""

import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "train_embedded"
if str(FOLDER) not in sys.path:
    sys.path.insert(0, str(FOLDER))

import captions as english  # noqa: E402
import captions_zh as chinese  # noqa: E402
import names_zh  # noqa: E402
import world as emoji_world  # noqa: E402
from phrasing import WEIGHT_POWER, WEIGHTS  # noqa: E402

EMBEDDED = Path(__file__).parents[2] / "clipcond" / "embedded"
TOKENIZER = EMBEDDED / "model" / "tokenizer"

__all__ = [
    "EMBEDDED",
    "TOKENIZER",
    "WEIGHTS",
    "WEIGHT_POWER",
    "chinese",
    "emoji_world",
    "english",
    "names_zh",
]
