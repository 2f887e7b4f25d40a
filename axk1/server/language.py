"""Korean or English, as the reader's browser asks; Korean where it asks for neither."""

from __future__ import annotations

from typing import Literal

__all__ = ["Language", "preferred"]

Language = Literal["ko", "en"]


def preferred(accept_language: str) -> Language:
    """By the header Accept-Language."""
    found: dict[Language, float] = {}
    for part in accept_language.split(","):
        tag, _, quality = part.strip().partition(";")
        for language in ("ko", "en"):
            if tag.strip().lower().split("-")[0] == language:
                found[language] = max(found.get(language, 0.0), _quality(quality))
    return "en" if found.get("en", 0.0) > found.get("ko", 0.0) else "ko"


def _quality(text: str) -> float:
    name, _, value = text.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
