"""Who is signed in: a cookie that only this server can have written, and the token that its forms must bring back."""

from __future__ import annotations

import base64
import hmac
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

__all__ = ["COOKIE", "SECONDS", "Seal", "Session", "secret_in"]

COOKIE = "axk1_admin"
SECONDS = 8 * 3600


@dataclass(frozen=True)
class Session:
    """`key_id` is empty for a visitor who has not signed in, whose form needs a token too."""

    key_id: str
    nonce: str
    expires: int  # seconds since 1970

    @classmethod
    def begin(cls, key_id: str, now: float) -> Session:
        """A new one: signing in never takes over the visitor's."""
        return cls(key_id, secrets.token_urlsafe(18), int(now) + SECONDS)


class Seal:
    """Signs with the server's secret (HMAC-SHA256), each use under its own name."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def closed(self, session: Session) -> str:
        """The cookie's value."""
        data = json.dumps([session.key_id, session.nonce, session.expires]).encode()
        text = base64.urlsafe_b64encode(data).decode().rstrip("=")  # which a cookie would have to quote
        return f"{text}.{self._mark('session', text)}"

    def opened(self, cookie: str, now: float) -> Session | None:
        """None for a cookie that is not ours, was changed, or is over."""
        text, _, mark = cookie.partition(".")
        if not cookie.isascii() or not hmac.compare_digest(mark, self._mark("session", text)):
            return None
        session = Session(*json.loads(base64.urlsafe_b64decode(text + "==")))
        return session if now < session.expires else None

    def token(self, session: Session) -> str:
        """What every form of this session carries."""
        return self._mark("form", session.nonce)

    def fits(self, session: Session, token: str) -> bool:
        """In constant time."""
        return token.isascii() and hmac.compare_digest(token, self.token(session))

    def _mark(self, use: str, text: str) -> str:
        return hmac.new(self._secret, f"{use}\0{text}".encode(), "sha256").hexdigest()


def secret_in(folder: Path) -> bytes:
    """The secret kept in the server's folder, made at the first start; only its owner can read it."""
    path = folder / "admin.secret"
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".admin.secret.{secrets.token_hex(8)}.partial"
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(32))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(partial, path)  # fails where there is one: of two processes that start at once one secret stays
    except FileExistsError:
        pass
    finally:
        partial.unlink()
    return path.read_bytes()
