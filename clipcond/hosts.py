"""Take a port, and tell this computer's own names from others: for servers on it."""

from __future__ import annotations

import ipaddress
import socket

from clipcond.errors import ClipcondError

LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


def is_local(host: str) -> bool:
    """Whether a host can be reached from this computer only."""
    if host in LOCAL:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def name_of_host(header: str) -> str:
    """Take the port off what a request's Host says: "[::1]:7860" is "::1"."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].lower()


def is_foreign(origin: str, host: str) -> bool:
    """Whether a request comes from another site's page.

    Args:
        origin, host: its headers; "" = there is none.
    """
    return bool(origin) and origin.partition("://")[2] != host


def listen(host: str, port: int) -> socket.socket:
    """Take a port, so that it is known to be free before a model is loaded.

    Raises:
        ClipcondError: it cannot be taken; says why.
    """
    try:
        listening = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
        # Connections inherit it; asyncio sets it only where a socket names its protocol. Without,
        # each answer on a connection that is kept waits 40 ms for the client's acknowledgement.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ClipcondError(
            f"port {port} of {host} cannot be used: {why}", "Choose another with port=."
        ) from error


def address_of(host: str, listening: socket.socket) -> str:
    """Write the address of what listens there."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}/"
