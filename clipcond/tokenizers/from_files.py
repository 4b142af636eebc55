"""Open the tokenizers of CLIP and BERT with the library tokenizers alone, without transformers.

They give the ids that transformers gives: each is built of the same parts from the same files. A
folder with anything else in its settings is refused; transformers may know what to do with it.
Deviation: transformers 5.0, but no later one that was tried, takes `<|ENDOFTEXT|>` in capitals for
the special token.

Source of the parts: transformers 5, CLIPTokenizer, BertTokenizer and TokenizersBackend.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend
from tokenizers.models import BPE, WordPiece

from clipcond.errors import CheckpointError
from clipcond.files import is_file, read_json

NO_LIMIT = int(1e30)  # transformers' model_max_length of a tokenizer that names none
CLIP_TOKENS = {
    "unk_token": "<|endoftext|>",
    "bos_token": "<|startoftext|>",
    "eos_token": "<|endoftext|>",
    "pad_token": "<|endoftext|>",
}
BERT_TOKENS = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
# Words as CLIP's tokenizer of transformers splits them.
WORDS = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)
# Settings that change no id, or that are read here; with any other a folder is refused.
_NO_EFFECT = (
    *("tokenizer_class", "processor_class", "name_or_path", "special_tokens_map_file"),
    *("tokenizer_file", "backend", "is_local", "local_files_only", "errors", "add_prefix_space"),
    *("clean_up_tokenization_spaces", "model_max_length", "added_tokens_decoder"),
    *("split_special_tokens", "do_lower_case"),
)
_OF_BERT = ("tokenize_chinese_chars", "strip_accents")


class FileTokenizer:
    """A tokenizer of vocabulary files with what `WrappedTokenizer` asks of transformers'.

    Args:
        backend: of the library tokenizers.
        named: the special tokens by their roles: `bos_token`, ...
        model_max_length: ids in a text, as its settings say.
        split_special_tokens: whether their names in a text are plain text.
    """

    bos_token_id: int | None
    eos_token_id: int | None
    pad_token_id: int | None
    unk_token_id: int | None
    cls_token_id: int | None
    sep_token_id: int | None
    mask_token_id: int | None

    def __init__(
        self,
        backend: Backend,
        named: Mapping[str, str],
        model_max_length: int | float = NO_LIMIT,
        split_special_tokens: bool = False,
    ) -> None:
        self.backend_tokenizer = backend
        self.model_max_length = model_max_length
        self.split_special_tokens = split_special_tokens
        self.all_special_tokens = list(dict.fromkeys(named.values()))
        backend.encode_special_tokens = split_special_tokens
        for role in (*CLIP_TOKENS, *BERT_TOKENS):
            token = named.get(role)
            token_id = None if token is None else backend.token_to_id(token)
            setattr(self, f"{role}_id", token_id)

    def __len__(self) -> int:
        return int(self.backend_tokenizer.get_vocab_size(with_added_tokens=True))

    def __call__(self, text: str | list[str], **_: object) -> dict[str, Any]:
        """Encode a text, or several, without special tokens."""
        if isinstance(text, str):
            return {"input_ids": self._ids(text)}
        return {"input_ids": [self._ids(each) for each in text]}

    def _ids(self, text: str) -> list[int]:
        return list(self.backend_tokenizer.encode(text, add_special_tokens=False).ids)

    @property
    def vocab_size(self) -> int:
        """Entries without those that were added."""
        return int(self.backend_tokenizer.get_vocab_size(with_added_tokens=False))

    @property
    def added_tokens_encoder(self) -> dict[str, int]:
        """Added tokens and their ids, special ones included."""
        added = self.backend_tokenizer.get_added_tokens_decoder()
        return {token.content: token_id for token_id, token in sorted(added.items())}

    def get_vocab(self) -> dict[str, int]:
        """All entries and their ids."""
        return dict(self.backend_tokenizer.get_vocab(with_added_tokens=True))

    def convert_tokens_to_ids(self, token: str) -> int | None:
        """Look up an entry; the unknown token's id if there is none."""
        token_id: int | None = self.backend_tokenizer.token_to_id(token)
        return self.unk_token_id if token_id is None else token_id

    def convert_ids_to_tokens(self, ids: int | Sequence[int]) -> str | list[str | None] | None:
        """Look up the entry of an id, or the entries of several."""
        if isinstance(ids, int):
            return self.backend_tokenizer.id_to_token(ids)
        return [self.backend_tokenizer.id_to_token(i) for i in ids]


def clip_from_files(folder: Path, **choices: str | int) -> FileTokenizer:
    """Open CLIP's tokenizer in a folder: tokenizer.json, or vocab.json and merges.txt.

    Args:
        choices: settings in place of those in the folder.
    Raises:
        CheckpointError: it has settings that only transformers reads, or is broken.
    """
    settings, added, saved = _settings(folder, choices, "BPE")
    named, unk = _named(settings, CLIP_TOKENS, added)
    parts: dict[str, Any] = {
        "unk_token": unk,
        "end_of_word_suffix": "</w>",
        "continuing_subword_prefix": "",
        "fuse_unk": False,
    }
    if saved is None:
        vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
        model = BPE.from_file(str(vocabulary), str(merges), **parts)
    else:
        pairs = [_pair(merge) for merge in saved["merges"]]
        model = BPE(vocab=saved["vocab"], merges=pairs, **parts)
    backend = Backend(model)
    backend.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    return _finished(backend, named, added, settings)


def bert_from_files(folder: Path, longest_word: int = 100, **choices: bool) -> FileTokenizer:
    """Open BERT's tokenizer in a folder: tokenizer.json or vocab.txt.

    Args:
        longest_word: characters; a longer word is unknown.
        choices: settings in place of those in the folder.
    Raises:
        CheckpointError: it has settings that only transformers reads, or is broken.
    """
    settings, added, saved = _settings(folder, choices, "WordPiece")
    if "do_lower_case" not in settings and saved is not None:
        raise CheckpointError("it does not say whether capitals count", folder)
    named, unk = _named(settings, BERT_TOKENS, added)
    if saved is None:
        model = WordPiece.from_file(str(folder / "vocab.txt"), unk_token=unk)
    else:
        model = WordPiece(vocab=saved["vocab"], unk_token=unk)
    model.max_input_chars_per_word = longest_word
    backend = Backend(model)
    backend.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=settings.get("tokenize_chinese_chars", True),
        strip_accents=settings.get("strip_accents"),
        lowercase=settings.get("do_lower_case", True),
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return _finished(backend, named, added, settings)


def _pair(merge: str | Sequence[str]) -> tuple[str, str]:
    first, second = merge.split(" ") if isinstance(merge, str) else merge
    return first, second


def _settings(
    folder: Path, choices: Mapping[str, object], kind: str
) -> tuple[dict[str, Any], dict[int, AddedToken], dict[str, Any] | None]:
    """Read a folder's settings, its added tokens by id, and the model of its tokenizer.json.

    Args:
        kind: of the model.
    Raises:
        CheckpointError: there are settings with an effect that is not known here.
    """
    config = folder / "tokenizer_config.json"
    settings = read_json(config) if config.is_file() else {}
    saved = None
    added = settings.get("added_tokens_decoder")
    if is_file(folder / "tokenizer.json"):
        whole = read_json(folder / "tokenizer.json")
        saved = whole["model"]
        if whole["truncation"] or whole["padding"] or saved["type"] != kind:
            raise CheckpointError(f"it truncates, pads, or is no {kind}", folder)
        if added is None:
            tokens = whole["added_tokens"]
            added = {t["id"]: {k: v for k, v in t.items() if k != "id"} for t in tokens}
    if "added_tokens_decoder" not in settings:
        if is_file(folder / "added_tokens.json"):
            raise CheckpointError("it adds tokens in a file of their own", folder)
        if is_file(folder / "special_tokens_map.json"):
            special = read_json(folder / "special_tokens_map.json")
            settings |= {name: _marked(value) for name, value in special.items()}
    settings |= choices
    known = (*_NO_EFFECT, *CLIP_TOKENS, *BERT_TOKENS, *(_OF_BERT if kind == "WordPiece" else ()))
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise CheckpointError(f"it has settings that are not read here: {unknown}", folder)
    return settings, {int(i): AddedToken(**token) for i, token in (added or {}).items()}, saved


def _marked(value: object) -> object:
    """Mark a token of special_tokens_map.json as those of tokenizer_config.json are marked."""
    return {**value, "__type": "AddedToken", "special": True} if isinstance(value, dict) else value


def _named(
    settings: Mapping[str, Any], usual: Mapping[str, str], added: Mapping[int, AddedToken]
) -> tuple[dict[str, AddedToken | str], str]:
    """Find the special tokens by their roles, and the name of the unknown one."""
    by_content = {token.content: token for token in added.values()}
    named: dict[str, AddedToken | str] = {}
    given = (role for role in (*CLIP_TOKENS, *BERT_TOKENS) if role in settings)
    for role in dict.fromkeys((*usual, *given)):
        value = settings.get(role, usual.get(role))
        if isinstance(value, dict) and value.get("__type") == "AddedToken":
            value = AddedToken(**{k: v for k, v in value.items() if k != "__type"})
        if not isinstance(value, str | AddedToken):
            raise CheckpointError(f"its {role} is {value!r}")
        named[role] = by_content.get(_content(value), value)
    return named, _content(named["unk_token"])


def _content(token: AddedToken | str) -> str:
    return token if isinstance(token, str) else str(token.content)


def _finished(
    backend: Backend,
    named: Mapping[str, AddedToken | str],
    added: Mapping[int, AddedToken],
    settings: Mapping[str, Any],
) -> FileTokenizer:
    """Add the tokens in the order in which transformers adds them."""
    contents = {role: _content(token) for role, token in named.items()}
    tokens = [token for _, token in sorted(added.items(), key=lambda pair: pair[0])]
    known = {token.content for token in tokens}
    for token in named.values():
        if _content(token) not in known:
            known.add(_content(token))
            tokens.append(AddedToken(token, special=True) if isinstance(token, str) else token)
    for token in tokens:
        token.special = token.special or token.content in contents.values()
    backend.add_tokens(tokens)
    length = settings.get("model_max_length", NO_LIMIT)
    split = settings.get("split_special_tokens", False)
    return FileTokenizer(backend, contents, length, split)
