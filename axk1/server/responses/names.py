"""Ids of answers and of their items. An item's id holds its answer's, so that an item is found by its id alone."""

from __future__ import annotations

from uuid import uuid4

__all__ = ["answer_of", "item_id", "new_answer"]

_ANSWER = "resp_"
_DIGITS = 32
_PREFIXES = {"message": "msg", "reasoning": "rs", "function_call": "fc", "function_call_output": "fco"}


def new_answer() -> str:
    """An id that no other answer has."""
    return _ANSWER + uuid4().hex


def item_id(answer: str, kind: str, place: int) -> str:
    """The id of the item at `place` of a conversation that an answer ends."""
    return f"{_PREFIXES[kind]}_{answer.removeprefix(_ANSWER)}{place:04x}"


def answer_of(item: str) -> str:
    """The answer with which an item was kept; no answer has this id if the item's is not one of ours."""
    return _ANSWER + item.partition("_")[2][:_DIGITS]
