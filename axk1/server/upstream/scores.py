"""Log-probabilities in the forms that upstreams give them, as ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from axk1.server.calls import Tokens, TokenScore
from axk1.server.upstream.wholeness import whole_bytes

__all__ = ["chat_scores", "placed", "prompt_scores", "text_scores"]

_REPLACEMENT = "\ufffd"


def chat_scores(logprobs: object) -> tuple[TokenScore, ...]:
    """Those of a choice of chat; none where there are none."""
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    return tuple(_chat_score(one) for one in content or ())


def text_scores(logprobs: object) -> tuple[TokenScore, ...]:
    """Those of a completion, in the older form: lists side by side (`bytes` is our own server's). llama.cpp gives the
    form of chat here too."""
    if not isinstance(logprobs, dict):
        return ()
    if "content" in logprobs:
        return chat_scores(logprobs)
    tokens, chances = logprobs.get("tokens") or (), logprobs.get("token_logprobs") or ()
    tops = logprobs.get("top_logprobs") or [None] * len(tokens)
    data = logprobs.get("bytes") or [None] * len(tokens)
    return tuple(
        TokenScore(_text(token), _data(token, found), chance, top=_text_top(top))
        for token, chance, top, found in zip(tokens, chances, tops, data, strict=False)
    )


def prompt_scores(places: Sequence[Mapping[str, Any] | None], prompt: Tokens, most: int) -> tuple[TokenScore, ...]:
    """vLLM's form, a mapping from id to chance at each place. KeyError, ValueError when `prompt` is another one."""
    made = []
    for token, piece, chances in zip(prompt.ids, prompt.pieces, places, strict=True):
        if chances is None:
            made.append(TokenScore(piece, _data(piece, None), None, token))
            continue
        ranked = sorted(chances.items(), key=lambda one: one[1]["rank"])
        top = tuple(_ranked(int(id_), chance) for id_, chance in ranked if chance["rank"] <= most)
        made.append(replace(_ranked(token, chances[str(token)]), top=top))
    return placed(made, prompt.text)


def placed(scores: Sequence[TokenScore], text: str) -> tuple[TokenScore, ...]:
    """The scores with bytes that give `text`, where the upstream named tokens by text and so lost the bytes of those
    that are half a character: the last of such a run gets the whole."""
    data = text.encode()
    if b"".join(one.data for one in scores) == data:
        return tuple(scores)
    made, place, lost = list(scores), 0, -1
    for number, one in enumerate(scores):
        if _REPLACEMENT in one.token or not one.data:
            lost = number
            continue
        found = data.find(one.data, place)
        if found > place and lost >= 0:
            made[lost] = replace(made[lost], data=made[lost].data + data[place:found])
        place, lost = (found + len(one.data), -1) if found >= 0 else (place, lost)
    if lost >= 0 and place < len(data):
        made[lost] = replace(made[lost], data=made[lost].data + data[place:])
    return tuple(made)


def _chat_score(one: Mapping[str, Any]) -> TokenScore:
    top = tuple(_alone(other, rank) for rank, other in enumerate(one.get("top_logprobs") or (), start=1))
    return replace(_alone(one, None), top=top)


def _alone(one: Mapping[str, Any], rank: int | None) -> TokenScore:
    token = str(one["token"])
    return TokenScore(_text(token), _data(token, one.get("bytes")), one["logprob"], rank=rank)


def _text(token: str) -> str:
    """JSON may hold half a surrogate pair; nothing of ours does."""
    return token.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _data(token: str, found: Sequence[int] | None) -> bytes:
    return whole_bytes(_text(token).encode() if found is None else bytes(found))


def _text_top(top: Mapping[str, float] | None) -> tuple[TokenScore, ...]:
    ranked = sorted((top or {}).items(), key=lambda one: -one[1])
    return tuple(TokenScore(_text(one), _data(one, None), chance, rank=n) for n, (one, chance) in enumerate(ranked, 1))


def _ranked(token: int, chance: Mapping[str, Any]) -> TokenScore:
    text = _text(str(chance.get("decoded_token") or ""))
    return TokenScore(text, _data(text, None), chance["logprob"], token, rank=chance["rank"])
