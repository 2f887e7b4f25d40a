"""The key file of pseudonyms and sealed values: 32 random bytes as 64 hexadecimal digits, for its owner only."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

__all__ = ["derived", "new_key", "read_key"]

_BYTES = 32


def new_key(path: Path) -> None:
    """Write a new key. FileExistsError rather than replacing one: what it sealed would be lost."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_hex(_BYTES) + "\n")


def read_key(path: Path) -> bytes:
    """The 32 bytes of a key file. ValueError if it is no such file, OSError if it cannot be read."""
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except ValueError:
        key = b""
    if len(key) != _BYTES:
        raise ValueError(f"{path} is no key file: 64 hexadecimal digits are expected (axk1 corpus new-key FILE)")
    return key


def derived(key: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose, from which neither the key nor those of another purpose can be told."""
    return hmac.digest(key, purpose.encode("utf-8"), hashlib.sha256)
