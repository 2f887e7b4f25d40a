"""Web pages → their main text, by resiliparse: menus, advertisements, comments and footers left out, tables kept.

Resiliparse is the default because it is the faster one by far at a like quality (docs/rooms/corpus.md has the figures).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from axk1.corpus.formats.encoding import decode_page
from axk1.corpus.formats.limits import Limits, need, read_whole
from axk1.corpus.formats.table import markdown
from axk1.corpus.streams import CorpusError

__all__ = ["main_text", "plain", "read"]

_UNSEEN = re.compile(r"<!--.*?-->|<(script|style)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)([^<>]*)")
_NO_TEXT = re.compile("[\\x01-\\x08\\x0e-\\x1f\ufffd]")
# The library takes a text of one character for an icon. Between tags it is a particle: <code>ls</code>는 <b>…
_LONE = re.compile(r">(\s*(?:[^\s<>&|·•»›¶\ue000-\uf8ff]|&(?!nbsp|middot|bull|raquo|para|#)\w+;))(?=\s*<)")
_MARK = "\ufdd0"  # stands behind such a character meanwhile; Unicode promises that it is none itself
# Elements without content, and those that the next of their kind closes: pages that leave them open do not nest.
_FLAT = re.compile(
    r"(area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr|p|li|dt|dd|tr|td|th|option|tbody|thead)"
)
# Blocks beside the text on Korean sites and blogs that the library's own rules leave in.
_SKIPPED = [
    ".comment", ".comments", "#comments", ".comment-list", ".comment_area", ".cmt", ".cmt_area", ".reply",
    ".reply_area", ".u_cbox",
    ".ad", ".ads", ".adsbygoogle", ".advertisement", ".banner", ".sns", ".sns_share", ".share",
    ".related", ".breadcrumb", ".copyright", ".navheader", ".navfooter", ".toc", ".pagination",
    "nav", "footer", "aside", "iframe",
]  # fmt: skip
_META = {
    "title": ('meta[property="og:title"]',),
    "url": ('meta[property="og:url"]',),
    "author": ('meta[name="author"]', 'meta[property="article:author"]'),
    "date": ('meta[property="article:published_time"]', 'meta[name="date"]'),
    "license": ('meta[name="license"]', 'meta[name="dc.rights"]'),
}
_LINKS = {"url": 'link[rel="canonical"]', "license": '[rel="license"]'}
_SMALL_BLOCKS = (
    "ul:not(:has(ul)), ol:not(:has(ol)), dl:not(:has(dl)), div:not(:has(div, p, ul, ol, table, pre, h1, h2, h3))"
)
_LINKED_SHARE = 0.8
_OWN_TEXT = 0.5  # share of links below which a list is text
_CELLS_HOLD = 500  # characters; a table with longer cells, or with blocks in them, only lays out the page


def read(path: Path, limits: Limits) -> tuple[str, Mapping[str, str]]:
    """The main text of a page and what it says of itself. CorpusError."""
    return main_text(read_whole(path, limits), "", str(path), limits)


def main_text(data: bytes, charset: str, place: str, limits: Limits) -> tuple[str, Mapping[str, str]]:
    """As `read`, of bytes; `charset` is what the server said. CorpusError, which begins with `place`."""
    tree = _tree(data, charset, place, limits)
    return _extracted(tree, main=True), _facts(tree)


def plain(data: bytes, place: str, limits: Limits) -> str:
    """All text of a page that has nothing but text, such as a book's chapter."""
    return _extracted(_tree(data, "", place, limits), main=False)


def _tree(data: bytes, charset: str, place: str, limits: Limits) -> Any:
    parser = need("resiliparse.parse.html", "resiliparse", ".html")
    if len(data) > limits.html_bytes:
        raise CorpusError(f"{place}: a page of more than {limits.html_bytes} bytes (limits.html_bytes)")
    text = decode_page(data, charset).replace("\x00", "").replace(_MARK, "")
    if len(_NO_TEXT.findall(text)) > 0.1 * len(text):
        raise CorpusError(f"{place}: no page of text (binary data, or an encoding that nothing declares)")
    if _is_too_deep(text, limits.depth):  # the parser survives it, but takes time that grows with the square
        raise CorpusError(f"{place}: elements nested deeper than {limits.depth} (limits.depth)")
    text = text.replace(' class="email"', "")  # an address in a sentence, which the library takes for a link to share
    return parser.HTMLTree.parse(_LONE.sub(rf">\1{_MARK}", text))


def _is_too_deep(text: str, limit: int) -> bool:
    depth = 0
    for match in _TAG.finditer(_UNSEEN.sub("", text)):
        if not _FLAT.fullmatch(match[2].lower()) and not match[3].endswith("/"):
            depth = max(depth - 1, 0) if match[1] else depth + 1
            if depth > limit:
                return True
    return False


def _extracted(tree: Any, *, main: bool) -> str:
    extract = need("resiliparse.extract.html2text", "resiliparse", ".html").extract_plain_text
    if tree.body is None:
        return ""
    _write_tables(tree)
    if main:
        _drop_links(tree)
        _keep_lists(tree)
    options = {"alt_texts": False, "list_bullets": False, "preserve_formatting": True}
    text: str = extract(tree, main_content=main, skip_elements=_SKIPPED if main else ["nav"], **options)
    text = text.replace(_MARK, "")
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", text)).strip()


def _drop_links(tree: Any) -> None:
    """Take out menus and lists of other articles: small blocks that hold hardly anything but links."""
    for block in tree.body.query_selector_all(_SMALL_BLOCKS):
        if block.parent is not None and _linked(block) >= _LINKED_SHARE:
            block.parent.remove_child(block)


def _keep_lists(tree: Any) -> None:
    """Make <ol> of every <ul> with text of its own: the library takes those near the body for menus."""
    for block in tree.body.query_selector_all("ul"):
        if _linked(block) < _OWN_TEXT and block.parent is not None:
            ordered = tree.create_element("ol")
            while (child := block.first_child) is not None:
                ordered.append_child(child)
            block.parent.replace_child(ordered, block)


def _linked(block: Any) -> float:
    """The share of the block's characters that are links; 1 of an empty block."""
    linked = sum(len("".join(link.text.split())) for link in block.query_selector_all("a"))
    return linked / (len("".join(block.text.split())) or max(linked, 1)) if linked else 0.0


def _write_tables(tree: Any) -> None:
    """Put Markdown in place of every table of data, so that its rows come through as they stand."""
    for table in tree.body.query_selector_all("table"):
        if table.query_selector("table, p + p, ul, ol, h1, h2, h3, form") is not None:
            continue
        rows = [[cell.text for cell in row.query_selector_all("td, th")] for row in table.query_selector_all("tr")]
        if len(rows) < 2 or max(map(len, rows)) < 2 or max(len(cell) for row in rows for cell in row) > _CELLS_HOLD:
            continue
        block = tree.create_element("pre")
        block.text = markdown(rows)
        table.parent.replace_child(block, table)


def _facts(tree: Any) -> dict[str, str]:
    if tree.head is None:
        return {}
    facts = {"title": tree.title or ""}
    for key, selector in _LINKS.items():
        if (link := tree.document.query_selector(selector)) is not None:
            facts[key] = link.getattr("href") or ""
    for key, selectors in _META.items():
        for selector in selectors:
            if (meta := tree.head.query_selector(selector)) is not None:
                facts.setdefault(key, meta.getattr("content") or "")
    return {key: " ".join(value.replace(_MARK, "").split()) for key, value in facts.items()}
