"""Decide who may ask: by token, or on this computer only."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping

from clipcond.errors import ArgumentError
from clipcond.hosts import LOCAL, is_foreign, is_local, name_of_host
from clipcond.service.refusals import RequestError

TOKEN_VARIABLE = "CLIPCOND_TOKEN"


def check_token(token: str | None, host: str) -> None:
    """Refuse a token that no request can carry, and none where others can ask.

    Raises:
        ArgumentError: says what to do.
    """
    if token is None and not is_local(host):
        raise ArgumentError(
            f"others can reach {host}, so requests need a token",
            f"Set the environment variable {TOKEN_VARIABLE} to a long random text, or leave out "
            "host= to serve this computer only.",
        )
    if token is not None and not re.fullmatch(r"[!-~]+", token):
        raise ArgumentError(
            f"{TOKEN_VARIABLE} is empty, or has spaces or characters beyond ASCII",
            "Use letters, digits and signs, such as: python -c 'import secrets; "
            "print(secrets.token_urlsafe())'",
        )


class Guard:
    """What each request has to pass.

    * With a token, its Authorization is "Bearer" and the token.
    * Without one, only this computer's own programs may ask, and no other site's page in a browser
      on it: neither under its own name, which its Origin is, nor under a name that was made to
      point at this computer (DNS rebinding), which its Host is.

    Args:
        token: None = none is needed.
        host: where the service listens.
    """

    def __init__(self, token: str | None, host: str) -> None:
        self._token = None if token is None else token.encode()
        self._hosts = LOCAL | {host.lower()}

    def check(self, headers: Mapping[bytes, bytes]) -> None:
        """Refuse a request by its headers.

        Raises:
            RequestError: 401, 403 or 421.
        """
        if self._token is None:
            self._check_local(headers)
            return
        scheme, _, given = headers.get(b"authorization", b"").strip().partition(b" ")
        is_right = hmac.compare_digest(given.strip(), self._token)
        if scheme.lower() != b"bearer" or not is_right:
            message = "a token is needed, or this is not the right one"
            raise RequestError(message, 'Send "Authorization: Bearer TOKEN".', 401, "token")

    def _check_local(self, headers: Mapping[bytes, bytes]) -> None:
        host = headers.get(b"host", b"").decode("latin-1")
        if name_of_host(host) not in self._hosts:
            message = "this service is not asked by that name"
            raise RequestError(message, "Ask 127.0.0.1, or set a token.", 421, "host")
        origin = headers.get(b"origin", b"").decode("latin-1")
        if is_foreign(origin, host):
            message = "pages of other sites may not use this service"
            raise RequestError(message, "", 403, "origin")
