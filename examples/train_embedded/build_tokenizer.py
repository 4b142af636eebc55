"""Write the CLIP BPE tokenizer (49,408 entries) as vocab.json and merges.txt.

The merges come from `bpe_simple_vocab_16e6.txt.gz`, the file OpenAI CLIP published (MIT) and the
`open_clip_torch` wheel carries. Usage: python build_tokenizer.py path/to/that.gz out_folder
"""

import gzip
import json
import sys
from pathlib import Path

N_ENTRIES = 49_408  # 2 * 256 byte symbols + merges + 2 special tokens, as OpenAI CLIP


def byte_symbols() -> list[str]:
    """The 256 printable stand-ins for bytes, in the order byte-level BPE numbers them."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    n_others = 256 - len(printable)
    return [chr(b) for b in printable] + [chr(256 + i) for i in range(n_others)]


def main(source: Path, folder: Path) -> None:
    """Write the two files into `folder`."""
    with gzip.open(source, "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")
    merges = lines[1 : N_ENTRIES - 512 - 2 + 1]
    symbols = byte_symbols()
    entries = symbols + [s + "</w>" for s in symbols] + ["".join(m.split()) for m in merges]
    entries += ["<|startoftext|>", "<|endoftext|>"]
    if len(entries) != N_ENTRIES:
        raise SystemExit(f"{source}: expected {N_ENTRIES} entries, found {len(entries)}")
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {entry: i for i, entry in enumerate(entries)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    text = "#version: 0.2\n" + "\n".join(merges) + "\n"
    (folder / "merges.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
