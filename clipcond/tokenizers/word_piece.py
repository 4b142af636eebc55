"""BERT's WordPiece tokenizer behind the Tokenizer protocol, with the Chinese vocabulary."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipcond.errors import CheckpointError, TowerError
from clipcond.files import read_json
from clipcond.tokenizers.base import SpecialTokens
from clipcond.tokenizers.folders import model_kind, open_tokenizer
from clipcond.tokenizers.wrapped import LookedUp, WrappedTokenizer, single_token_ids

if TYPE_CHECKING:
    from transformers import BertTokenizer, PreTrainedTokenizerBase

CONTINUED = "##"
# Chinese characters as BERT separates them. Source: google-research/bert, tokenization.py.
HAN = (
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002ceaf"
    "\U0002f800-\U0002fa1f"
)
UNITS = re.compile(rf"[{HAN}]|[^\W\d_{HAN}]+|[^\w\s]")  # a Chinese character, a word, a sign
COMMAS = ",，、﹐﹑､"  # each separates the tags of a list
SENTENCE_ENDS = ".。．!！?？"
PHRASE_ENDS = f"{SENTENCE_ENDS},，、;；:："
TRAINED_LENGTH = 52  # of 512 positions; the others were not trained. Source: cn_clip, tokenize
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt")
LONGEST_WORD = 200  # characters; a longer word is unknown. Source: cn_clip 1.6.0, bert_tokenizer.py


class WordPieceTokenizer(WrappedTokenizer):
    """A transformers BERT tokenizer: text to ids without special tokens, ids to readable pieces."""

    units = UNITS

    def readable(self, token: str) -> str:
        """Write an entry as text; the rest of a word without its mark."""
        return token.removeprefix(CONTINUED)


def special_tokens(tokenizer: PreTrainedTokenizerBase, context_length: int) -> SpecialTokens:
    """Read the special tokens of a transformers BERT tokenizer.

    Chinese and ASCII punctuation count alike. Padding is hidden from attention, as in training, and
    [MASK] replaces a word that is left out.

    Raises:
        TowerError: it is no BERT tokenizer, or one without a vocabulary.
    """
    frame = (tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id)
    if None in frame:
        raise TowerError(
            f"{type(tokenizer).__name__} has no [CLS], [SEP] and [PAD], so it is no BERT tokenizer"
        )
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise TowerError(
            f"{type(tokenizer).__name__} has {len(tokenizer)} entries and reads every word as "
            f"{tokenizer.unk_token}",
            "transformers 5 ignores BertTokenizer(vocab_file=...): give the file as the first "
            "argument.",
        )
    ids_of = partial(single_token_ids, tokenizer)
    return chinese_special_tokens(tokenizer, frame, context_length, ids_of)


def chinese_special_tokens(
    tokenizer: PreTrainedTokenizerBase,
    frame: tuple[int, int, int],
    context_length: int,
    ids_of: Callable[[str], frozenset[int]],
    mark: str = "",
) -> SpecialTokens:
    """Make the special tokens of a tower that reads Chinese and English; padding is masked.

    Args:
        frame: the ids of bos, eos and pad.
        ids_of: looks up the ids of some characters.
        mark: precedes the first piece of a word in the vocabulary.
    """
    commas, sentences, phrases = map(ids_of, (COMMAS, SENTENCE_ENDS, PHRASE_ENDS))
    ends = (sentences, phrases, LookedUp(partial(_is_whole_word, tokenizer, mark)))
    mask = tokenizer.mask_token_id
    return SpecialTokens(*frame, context_length, True, commas, ends, stand_in=mask)


def _is_whole_word(tokenizer: PreTrainedTokenizerBase, mark: str, token_id: int) -> bool:
    """Whether an id surely ends a word: a Chinese character or punctuation.

    A piece of another script does not: it depends on the next piece.
    """
    token = str(tokenizer.convert_ids_to_tokens(token_id)).removeprefix(mark)
    is_sign = len(token) == 1 and unicodedata.category(token).startswith("P")
    return is_sign or is_chinese(token)


def is_chinese(text: str) -> bool:
    """Whether a text consists of Chinese characters, one or more."""
    return re.fullmatch(f"[{HAN}]+", text) is not None


def chinese_tokenizer(vocabulary: Path | None = None) -> BertTokenizer:
    """Build a transformers tokenizer that gives cn_clip's ids.

    Typed names of special tokens are plain text, and words may be longer than BERT's usual limit.

    Args:
        vocabulary: a vocab.txt, one entry a line; None = the one of 21,128 entries that comes with
            clipcond, Google's for Chinese, on which all five sizes were trained.
    Raises:
        CheckpointError: there is no such file, or it holds no vocabulary.
    """
    from transformers import BertTokenizer

    own = Path(str(files("clipcond"))) / "embedded" / "zh" / "tower" / "vocab.txt"
    path = own if vocabulary is None else vocabulary
    try:
        entries = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{str(path)!r} cannot be read: {error}", path) from error
    if "[UNK]" not in entries or "[CLS]" not in entries:
        raise CheckpointError(
            f"{str(path)!r} is no WordPiece vocabulary: it has no [UNK] and [CLS]",
            path,
            "A vocab.txt has one entry on each line.",
        )
    tokenizer = BertTokenizer(str(path), do_lower_case=True, split_special_tokens=True)
    tokenizer.backend_tokenizer.model.max_input_chars_per_word = LONGEST_WORD
    return tokenizer


def tokenizer_in(folder: Path) -> BertTokenizer:
    """Open the BertTokenizer of a model's folder.

    Raises:
        CheckpointError: there is none, or it is broken.
    """
    return open_tokenizer(folder, TOKENIZER_FILES, _read_tokenizer)


def _read_tokenizer(folder: Path) -> BertTokenizer:
    from transformers import BertTokenizer

    if model_kind(folder) not in (None, "WordPiece"):
        raise CheckpointError(
            f"{str(folder / 'tokenizer.json')!r} is of kind {model_kind(folder)}, not WordPiece: "
            "BERT's rules would split its words wrongly",
            folder,
            "Its model is no BERT or Chinese CLIP; or give a folder with BERT's own vocab.txt.",
        )
    config = folder / "tokenizer_config.json"
    has_case = config.is_file() and "do_lower_case" in read_json(config)
    # a vocab.txt alone, as published: transformers 5.0 would not make it lower case
    is_bare = not has_case and not (folder / "tokenizer.json").is_file()
    choices: dict[str, Any] = {"do_lower_case": True} if is_bare else {}
    tokenizer: BertTokenizer = BertTokenizer.from_pretrained(
        str(folder), local_files_only=True, **choices
    )
    return tokenizer
