"""Text conditioning over HTTP: encode, inspect, convert and draw for programs on other computers.

`clipcond serve` starts it. Requests that arrive together are encoded together: `batching` collects
them, `encoding` answers them. `routes` connects both to FastAPI; `middleware` is what each request
passes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipcond.lazy import lazy_names

if TYPE_CHECKING:
    from clipcond.service.serving import serve
    from clipcond.service.settings import Limits, ServiceSettings
else:
    __getattr__, __dir__ = lazy_names(
        __name__, {"serving": ("serve",), "settings": ("Limits", "ServiceSettings")}
    )

__all__ = ["Limits", "ServiceSettings", "serve"]
