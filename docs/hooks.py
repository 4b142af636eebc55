"""What MkDocs needs beside the pages: pictures of the examples, and files of the root included.

`<!-- include NAME -->` in a page stands for the file NAME of the repository's root. Its links are
turned to the site: those into docs/ stay links, those to other files become plain text.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
_INCLUDE = re.compile(r"<!-- include (\S+) -->")


def on_files(files: Any, config: Any) -> Any:
    """Add the pictures that the examples made."""
    for path in sorted((ROOT / "examples" / "pictures").glob("*.png")):
        files.append(File.generated(config, f"pictures/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the files of the root in the places of their names."""
    return _INCLUDE.sub(lambda match: _included(match[1]), markdown)


def _included(name: str) -> str:
    path = ROOT / name
    if not path.is_file():
        return ""
    text = path.read_text(encoding="utf-8").replace("](examples/pictures/", "](pictures/")
    return re.sub(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)", _turned, text)


def _turned(link: re.Match[str]) -> str:
    words, target = link[1], link[2]
    if target.startswith(("http://", "https://", "#")):
        return link[0]
    return f"[{words}]({target.removeprefix('docs/')})" if target.startswith("docs/") else words
