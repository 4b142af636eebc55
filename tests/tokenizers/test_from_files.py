"""Tokenizers opened without transformers give the ids of transformers' own."""

import json
from importlib.metadata import version
from pathlib import Path

import pytest
from transformers import BertTokenizer, CLIPTokenizer

from clipcond import embedded
from clipcond.errors import CheckpointError
from clipcond.tokenizers.from_files import bert_from_files, clip_from_files

SHIPPED = embedded.folder() / "tokenizer"
BOS, EOS = "<|startoftext|>", "<|endoftext|>"
ATTRIBUTES = (
    *("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "mask_token_id"),
    *("cls_token_id", "sep_token_id", "vocab_size", "model_max_length", "split_special_tokens"),
)
TEXTS = [
    *("", " ", "a", "a cat", "A CAT,  and\n\ta dog!", "don't we're I'LL", "3.14159 -2", "(:[]|)"),
    *(
        "naïve café",
        "cafe\u0301",
        "ÀÉÎ",
        "Straße ẞ",
        "İstanbul",
        "ﬁ ﬂ",
        "ｆｕｌｌ",
        "½ ² ①",
        "\u200b\u00a0x",
    ),
    *("猫が好き", "一只猫，两只狗。", "🦊🐱‍👤", "Ωμέγα", "кот", "قطة", "हिन्दी", "ᚠ", "\x00\x07a"),
    *(f"{EOS} x", f"x{BOS}y", "<|ENDOFTEXT|>", "! !! a!", "[MASK] [sep] [UNK]", "##s", "x" * 300),
    *("a  b\u2003c", "e=mc^2", "l'été", "rock'n'roll 's", "_under_score_", "\ud7a3 \uac00"),
]
if version("transformers").startswith("5.0."):  # it reads a special token in capitals too
    TEXTS.remove("<|ENDOFTEXT|>")


def token(content: str, **more: object) -> dict[str, object]:
    flags = {"lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    return {"content": content, **flags, **more}


def clip_folder(path: Path, config: dict | None, **files: object) -> Path:
    """Write the first 600 entries of CLIP's vocabulary, and its special tokens."""
    path.mkdir()
    entries = list(json.loads((SHIPPED / "vocab.json").read_text(encoding="utf-8")))[:600]
    entries = {entry: i for i, entry in enumerate([*entries, BOS, EOS])}
    (path / "vocab.json").write_text(json.dumps(entries))
    merges = (SHIPPED / "merges.txt").read_text(encoding="utf-8").splitlines()[: 1 + 600 - 512]
    (path / "merges.txt").write_text("\n".join(merges) + "\n", encoding="utf-8")
    for name, values in {"tokenizer_config": config, **files}.items():
        if values is not None:
            (path / f"{name}.json").write_text(json.dumps(values))
    return path


def roles(**more: object) -> dict[str, object]:
    marked = {"__type": "AddedToken"}
    ends = {"bos_token": token(BOS) | marked, "eos_token": token(EOS) | marked}
    return {"tokenizer_class": "CLIPTokenizer", "pad_token": EOS, "unk_token": EOS, **ends, **more}


def clip_folders(tmp_path: Path) -> list[Path]:
    plain = {"model_max_length": 77, "bos_token": BOS, "eos_token": EOS, "errors": "replace"}
    special = {"bos_token": token(BOS), "eos_token": token(EOS), "pad_token": "!", "unk_token": EOS}
    added = {"0": token("!", special=True), "600": token(BOS, special=True)}
    more = {**added, "601": token(EOS, special=False), "700": token("<style>", special=False)}
    made = [
        ("none", None, {}),
        ("plain", plain, {}),
        (
            "sd1",
            roles(model_max_length=77, add_prefix_space=False),
            {"special_tokens_map": special},
        ),
        ("map", {"model_max_length": 77}, {"special_tokens_map": special}),
        ("sdxl", roles(added_tokens_decoder=added, pad_token="!"), {"special_tokens_map": special}),
        ("inversion", roles(added_tokens_decoder=more), {}),
        ("split", roles(split_special_tokens=True), {}),
    ]
    folders = [clip_folder(tmp_path / name, config, **files) for name, config, files in made]
    for folder in folders[:]:
        saved = tmp_path / f"saved_{folder.name}"
        CLIPTokenizer.from_pretrained(str(folder)).save_pretrained(saved)
        folders.append(saved)
    return folders


def bert_folders(tmp_path: Path) -> list[Path]:
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *"acdeosx猫狗，。.,!",
        "cat",
        "##s",
        "##e",
    ]
    made = []
    for name, config in (
        ("bare", None),
        ("cased", {"do_lower_case": False, "model_max_length": 52}),
        ("accents", {"do_lower_case": True, "strip_accents": False}),
        ("together", {"do_lower_case": True, "tokenize_chinese_chars": False}),
        ("split", {"do_lower_case": True, "split_special_tokens": True}),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
        if config is not None:
            (folder / "tokenizer_config.json").write_text(json.dumps(config))
        made.append(folder)
        saved = tmp_path / f"saved_{name}"
        choices = {} if config else {"do_lower_case": True}
        BertTokenizer.from_pretrained(str(folder), **choices).save_pretrained(saved)
        made.append(saved)
    return made


def differences(folder: Path, ours: object, theirs: object) -> list[tuple[object, ...]]:
    """Compare ids, attributes, and entries both ways."""
    found = [
        (folder.name, name)
        for name in ATTRIBUTES
        if getattr(ours, name) != getattr(theirs, name, None)
    ]
    for text in TEXTS:
        ids = theirs(text, add_special_tokens=False)["input_ids"]
        own = ours(text, add_special_tokens=False)["input_ids"]
        if ids != own or ours([text])["input_ids"] != [ids]:
            found.append((folder.name, text, own, ids))
        if ours.convert_ids_to_tokens(ids) != theirs.convert_ids_to_tokens(ids):
            found.append((folder.name, text, "entries"))
    special = set(theirs.all_special_tokens) == set(ours.all_special_tokens)
    alike = special and ours.get_vocab() == theirs.get_vocab() and len(ours) == len(theirs)
    if not alike or ours.added_tokens_encoder != theirs.added_tokens_encoder:
        found.append((folder.name, "vocabulary"))
    return found


def test_clips_ids_are_those_of_transformers(tmp_path):
    found = []
    for folder in clip_folders(tmp_path):
        theirs = CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
        found += differences(folder, clip_from_files(folder), theirs)

    assert not found


def test_berts_ids_are_those_of_transformers(tmp_path):
    found = []
    for folder in bert_folders(tmp_path):
        choices = {"do_lower_case": True} if folder.name == "bare" else {}
        theirs = BertTokenizer.from_pretrained(str(folder), local_files_only=True, **choices)
        found += differences(folder, bert_from_files(folder), theirs)

    assert not found


def test_settings_that_are_not_known_are_refused(tmp_path):
    settings = [
        {"extra_special_tokens": ["<x>"]},
        {"additional_special_tokens": ["<x>"]},
        {"pad_token": None},
        {"bos_token": {"content": BOS}},
        {"do_basic_tokenize": False},
        {"auto_map": {}},
    ]
    folders = [clip_folder(tmp_path / str(i), each) for i, each in enumerate(settings)]
    folders.append(clip_folder(tmp_path / "more", {}, added_tokens={"<x>": 700}))
    cut = tmp_path / "cut"
    CLIPTokenizer.from_pretrained(str(folders[-1])).save_pretrained(cut)
    written = json.loads((cut / "tokenizer.json").read_text(encoding="utf-8"))
    written["truncation"] = {"max_length": 5, "stride": 0, "strategy": "LongestFirst"}
    (cut / "tokenizer.json").write_text(json.dumps(written))

    for folder in (*folders, cut):
        with pytest.raises(CheckpointError):
            clip_from_files(folder)
    with pytest.raises(CheckpointError, match="is no WordPiece"):
        bert_from_files(cut)
