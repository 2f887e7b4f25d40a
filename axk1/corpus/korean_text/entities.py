"""HTML entities that an extractor left behind (&nbsp;, &lt;, &#8217;)."""

import html
import re
from html.entities import html5

__all__ = ["unescaped"]

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});")
# Code that shows an entity means it: what stands between backticks stays.
_CODE_OR_ENTITY = re.compile(rf"(```.*?(?:```|\Z)|`[^`\n]*`)|{_ENTITY.pattern}", re.DOTALL)


def unescaped(text: str) -> str:
    """The text with its entities as characters, except in Markdown code; unknown names stay as they are."""
    if "&" not in text or _ENTITY.search(text) is None:
        return text
    return _CODE_OR_ENTITY.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    if found[1]:
        return found[0]
    name = found[0][1:]
    if name in ("#124;", "vert;") and _in_table(found):
        return found[0]
    return html.unescape(found[0]) if name.startswith("#") or name in html5 else found[0]


def _in_table(found: re.Match[str]) -> bool:
    """Whether the line is a row of a Markdown table, where a bare bar would begin a cell."""
    line = found.string[found.string.rfind("\n", 0, found.start()) + 1 : found.start()]
    return line.lstrip().startswith("|")
