"""Read the pages of reports back, as a browser does: elements, their texts, tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "br"}


@dataclass
class Element:
    """One element: its children are elements and texts."""

    tag: str
    attributes: dict[str, str | None]
    children: list[Element | str] = field(default_factory=list)

    def all(self, tag: str = "", name: str = "") -> list[Element]:
        """List the elements below it with a tag and a class, in their order."""
        own = self.attributes.get("class") or ""
        is_one = (not tag or tag == self.tag) and (not name or name in own.split())
        below = [
            each
            for child in self.children
            if isinstance(child, Element)
            for each in child.all(tag, name)
        ]
        return [self, *below] if is_one else below

    def text(self) -> str:
        """Its text as it was before it was escaped; numbers of issues are left out."""
        if self.tag in ("sup", "style"):
            return ""
        if (code := self.attributes.get("data-code")) is not None:
            return chr(int(code, 16))
        return "".join(each if isinstance(each, str) else each.text() for each in self.children)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.path = [Element("", {})]

    def handle_starttag(self, tag, attributes):
        assert len({name for name, _ in attributes}) == len(attributes)
        made = Element(tag, dict(attributes))
        self.path[-1].children.append(made)
        if tag not in _VOID:
            self.path.append(made)

    def handle_endtag(self, tag):
        assert self.path.pop().tag == tag, f"</{tag}> closes another element"

    def handle_data(self, text):
        self.path[-1].children.append(text)


def read_page(page: str) -> Element:
    """Read a page in which every element that is opened is closed, in order."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    (root,) = reader.path
    return root


def tables(element: Element) -> list[list[list[str]]]:
    """The tables below an element: rows of cells, the heads first."""
    return [
        [[cell.text() for cell in row.all("th") + row.all("td")] for row in table.all("tr")]
        for table in element.all("table")
    ]
