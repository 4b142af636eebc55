"""A page in the browser: draw, inspect, convert, compare and read, on one's own computer.

`clipcond app` starts it. What each tab computes is a function or class here that needs no browser;
`page` and the files named `..._tab` connect them to gradio, which only these import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipcond.lazy import lazy_names

if TYPE_CHECKING:
    from clipcond.app.serving import serve
    from clipcond.app.settings import AppSettings
else:
    __getattr__, __dir__ = lazy_names(
        __name__, {"serving": ("serve",), "settings": ("AppSettings",)}
    )

__all__ = ["AppSettings", "serve"]
