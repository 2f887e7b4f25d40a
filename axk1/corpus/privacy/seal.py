"""Values sealed so that only the holder of a key file reads them: AES-SIV by `cryptography` (RFC 5297).

Sealing is deterministic: a build with the same key gives the same bytes, and no nonce can be used twice by mistake. In
return equal values of one scope have equal tokens.
"""

import base64
import re
from dataclasses import replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from axk1.corpus.documents import Document
from axk1.corpus.privacy.finding import LABELS, SPANS
from axk1.corpus.privacy.keys import derived

__all__ = ["Sealer"]

_KINDS = {label: kind for kind, label in LABELS.items()}
_TOKEN = re.compile(rf"<({'|'.join(_KINDS)}):([A-Za-z0-9_-]{{8,}})>")
_SALT = 6


class Sealer:
    """Values to tokens such as <이름:Zm9v…> and back."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(derived(key, "seal"))
        self._salt_key = derived(key, "salt")

    def seal(self, kind: str, value: str, scope: str = "") -> str:
        """The token of a value; values of different scopes (documents) have different ones."""
        salt = derived(self._salt_key, scope)[:_SALT]
        sealed = self._cipher.encrypt(value.encode("utf-8"), [salt, kind.encode()])
        return f"<{LABELS[kind]}:{base64.urlsafe_b64encode(salt + sealed).rstrip(b'=').decode()}>"

    def unseal(self, text: str) -> str:
        """The text with every token opened. ValueError for a token that this key does not open."""
        return _TOKEN.sub(self._opened, text)

    def unsealed(self, document: Document) -> Document:
        """The document with the tokens of its text and metadata opened; the step's places, which no longer fit, go."""
        metadata = {
            key: self.unseal(value) if isinstance(value, str) else value
            for key, value in document.metadata.items()
            if key != SPANS
        }
        return replace(document, text=self.unseal(document.text), metadata=metadata)

    def _opened(self, token: re.Match[str]) -> str:
        label, body = token.groups()
        try:
            raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
            return self._cipher.decrypt(raw[_SALT:], [raw[:_SALT], _KINDS[label].encode()]).decode("utf-8")
        except (InvalidTag, ValueError) as error:
            raise ValueError(f"a token <{label}:…> was not sealed with this key, or was changed") from error
