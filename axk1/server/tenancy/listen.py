"""Where a server may listen."""

from __future__ import annotations

import ipaddress

__all__ = ["may_listen"]


def may_listen(host: str, keys_exist: bool) -> None:
    """ValueError for an address that others can reach while there is no key to keep them out."""
    if not keys_exist and not _is_loopback(host):
        raise ValueError(
            f"{host} can be reached by others, and there is no API key yet: "
            "make one with 'axk1 admin key create', or listen on 127.0.0.1"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
