"""Where a server may listen."""

from __future__ import annotations

import ipaddress

__all__ = ["may_listen"]


def may_listen(host: str, keys_exist: bool) -> None:
    """ValueError for an address that others can reach while there is no key to keep them out. Of a server that asks for
    no keys (`OpenGate`), `keys_exist` is False."""
    if not keys_exist and not _is_loopback(host):
        raise ValueError(
            f"{host or 'every address'} can be reached by others, and no API key keeps them out: "
            "make one with 'axk1 admin key create NAME' and have the server ask for keys, or listen on 127.0.0.1"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
