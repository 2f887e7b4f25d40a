"""API keys: how they are made, recognised and kept.

A key is `axk1-<id>-<secret>`: the id is public and finds the row, the secret is 256 random bits. What is stored is the
SHA-256 of the whole key. A slow, salted hash guards secrets that people choose; no one searches 2**256 secrets, and a
fast hash costs a request nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

__all__ = ["digest_of", "id_of", "is_key", "new_key"]

_FORM = re.compile(r"axk1-([0-9a-f]{16})-[A-Za-z0-9_-]{43}")


def new_key() -> tuple[str, str]:
    """A key and its public id. The key is shown once and not kept."""
    public = secrets.token_hex(8)
    return f"axk1-{public}-{secrets.token_urlsafe(32)}", public


def id_of(key: str) -> str | None:
    """The public id of what has the form of a key."""
    found = _FORM.fullmatch(key)
    return found.group(1) if found else None


def digest_of(key: str) -> str:
    """What is stored of a key, in hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()


def is_key(key: str, digest: str) -> bool:
    """Whether `digest` is that of `key`, in a time that does not depend on where they differ."""
    return hmac.compare_digest(digest_of(key), digest)
