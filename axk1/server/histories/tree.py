"""A conversation as a tree: every edit and every regeneration is a branch."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from axk1.server.errors import ApiError, bad_request
from axk1.server.fields import deeper

__all__ = ["Conversation", "Node", "Tree", "clean", "fold", "parse", "path", "said", "searched"]

MOST_BYTES = 4 << 20
MOST_NODES = 20_000
MOST_DEPTH = 5_000  # messages from the first to the last
_NodeId = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Node(BaseModel):
    """A message; fields that only the page knows are kept as they are."""

    model_config = ConfigDict(extra="allow")
    id: _NodeId
    parent: _NodeId | None
    children: list[_NodeId]
    role: Literal["user", "assistant", "system", "tool"]
    content: str | list[dict[str, Any]]
    reasoning: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    model: str | None = None
    created_at: float | None = None
    usage: dict[str, Any] | None = None


class Tree(BaseModel):
    """Messages by id; `current` is the one whose path from `root` is shown."""

    model_config = ConfigDict(extra="forbid")
    root: _NodeId
    nodes: Annotated[dict[str, Node], Field(min_length=1, max_length=MOST_NODES)]
    current: _NodeId


class Conversation(BaseModel):
    """What a page saves."""

    model_config = ConfigDict(extra="forbid")
    title: Annotated[str, StringConstraints(max_length=200)]
    tree: Tree


def parse(body: bytes, json_depth: int) -> Conversation:
    """ApiError, which names the place, for what is no conversation or no tree; 413 above `MOST_BYTES`."""
    if len(body) > MOST_BYTES:
        raise ApiError(413, f"a conversation holds at most {MOST_BYTES} bytes; this one has {len(body)}", param="tree")
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is no JSON: {error}") from error
    if deeper(raw, json_depth):
        raise bad_request(f"the JSON is nested more than {json_depth} levels deep")
    try:
        found = Conversation.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(one) for one in first["loc"]) or "body"
        raise bad_request(f"{place}: {first['msg']}", place) from error
    _check(found.tree)
    return found


def path(tree: Tree) -> list[Node]:
    """From the root to the current message."""
    nodes = []
    place: str | None = tree.current
    while place is not None:
        nodes.append(tree.nodes[place])
        place = nodes[-1].parent
    return nodes[::-1]


def said(node: Node) -> str:
    """A message's text."""
    if isinstance(node.content, str):
        return node.content
    return "\n".join(part["text"] for part in node.content if isinstance(part.get("text"), str))


def fold(text: str) -> str:
    """Small letters, with each character in its place."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(small if len(small := one.lower()) == 1 else one for one in text)


def searched(conversation: Conversation) -> tuple[str, str]:
    """The title and all that users and assistants said, NFC and without NUL, which PostgreSQL does not take."""
    nodes = conversation.tree.nodes.values()
    texts = (said(node) for node in nodes if node.role in ("user", "assistant"))
    return clean(conversation.title), clean("\n".join(one for one in texts if one))


def clean(text: str) -> str:
    """NFC, without NUL."""
    return unicodedata.normalize("NFC", text.replace("\0", ""))


def _check(tree: Tree) -> None:
    for name in ("root", "current"):
        if getattr(tree, name) not in tree.nodes:
            raise bad_request(f"tree.{name} names no node", f"tree.{name}")
    for key, node in tree.nodes.items():
        _check_node(tree, key, node)
    depth, level, reached = 0, [tree.root], 1
    while level:
        level = [child for one in level for child in tree.nodes[one].children]
        depth, reached = depth + 1, reached + len(level)
        if depth > MOST_DEPTH:
            raise bad_request(f"a conversation is at most {MOST_DEPTH} messages long", "tree.nodes")
    if reached != len(tree.nodes):  # a ring that nothing leads to
        raise bad_request(f"{len(tree.nodes) - reached} nodes cannot be reached from the root", "tree.nodes")


def _check_node(tree: Tree, key: str, node: Node) -> None:
    """With these true of every node no child has two parents, so a walk from the root ends."""
    place = f"tree.nodes.{key}"
    if node.id != key:
        raise bad_request(f"{place}.id must be {key!r}, the name that it is kept under", f"{place}.id")
    if (node.parent is None) != (key == tree.root):
        raise bad_request(f"{place}.parent: the root has none, and every other node has one", f"{place}.parent")
    if len(set(node.children)) != len(node.children):
        raise bad_request(f"{place}.children names a node twice", f"{place}.children")
    for child in node.children:
        if child not in tree.nodes or tree.nodes[child].parent != key:
            raise bad_request(f"{place}.children: {child!r} is no node whose parent this is", f"{place}.children")
