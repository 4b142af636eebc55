"""Add to the site what is outside of docs/: the examples' pictures, and files of the root.

`<!-- include NAME -->` in a page is replaced by the file NAME of the repository's root. Its links
into docs/ are turned to the site's pages; those to other files become plain text. Where the page
has a title, that of the file is left out.
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
    """Replace the names of included files by their text."""
    has_title = markdown.lstrip().startswith("# ")
    return _INCLUDE.sub(lambda match: _included(match[1], has_title), markdown)


def _included(name: str, has_title: bool) -> str:
    path = ROOT / name
    if not path.is_file():
        return ""
    text = path.read_text(encoding="utf-8").replace("](examples/pictures/", "](pictures/")
    text = re.sub(r"\A# .*\n", "", text) if has_title else text
    return re.sub(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)", _turned, text)


def _turned(link: re.Match[str]) -> str:
    words, target = link[1], link[2]
    if target.startswith(("http://", "https://", "#")):
        return link[0]
    return f"[{words}]({target.removeprefix('docs/')})" if target.startswith("docs/") else words
