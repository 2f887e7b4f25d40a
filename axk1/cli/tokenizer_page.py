"""The audit as one HTML page without scripts: its tables, and the dearest lines in coloured tokens."""

from collections.abc import Sequence
from html import escape
from itertools import groupby

from axk1.cli.tokenizer_tables import AuditTable
from axk1.cli.words import Words
from axk1.tokenizer.audit import Example

__all__ = ["page"]

_STYLE = """
body { font: 16px/1.6 system-ui, "Noto Sans CJK KR", sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b1f24; background: #fff; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .3rem; }
.table { overflow-x: auto; } table { border-collapse: collapse; } .note { color: #57606a; margin: .2rem 0 .6rem; }
th, td { padding: .25rem .8rem; border-bottom: 1px solid #d0d7de; text-align: right;
  font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; } thead th { border-bottom: 2px solid #57606a; white-space: nowrap; }
td { white-space: nowrap; }
td:nth-child(7) { white-space: normal; overflow-wrap: anywhere; min-width: 16rem; text-align: left; }
th:nth-child(7) { text-align: left; }
.line { margin: .2rem 0; font-size: 1.05rem; } .line b { display: inline-block; min-width: 10rem; font-size: .85rem; }
.line i { font-style: normal; white-space: pre-wrap; border-radius: 3px; padding: .1rem 0; margin-right: 1px; }
.t0 { background: #cfe8ff; } .t1 { background: #ffe2b8; } .t2 { background: #d4f2cd; } .t3 { background: #f6d3ea; }
@media (prefers-color-scheme: dark) { body { color: #e6edf3; background: #0d1117; } .note { color: #9da7b1; }
  .line i { color: #1b1f24; } th, td { border-color: #30363d; } }
"""


def page(tables: Sequence[AuditTable], examples: Sequence[Example], say: Words) -> str:
    """Whatever stands in names and texts is escaped."""
    title = say("토크나이저 비교", "Tokenizers side by side")
    body = [f"<h1>{title}</h1>", *map(_table, tables), *_examples(examples, say)]
    return (
        f'<!doctype html>\n<html lang="{say("ko", "en")}">\n<head><meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f"<style>{_STYLE}</style></head>\n<body>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


def _table(table: AuditTable) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in table.headings)
    rows = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return (
        f'<h2>{escape(table.title)}</h2>\n<p class="note">{escape(table.note)}</p>\n'
        f'<div class="table"><table><thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>'
    )


def _examples(examples: Sequence[Example], say: Words) -> list[str]:
    heading = say("가장 비싼 줄", "The dearest lines")
    note = say(
        "첫째 토크나이저가 글자당 토큰을 가장 많이 쓰는 줄입니다. 색이 바뀌는 곳에서 토큰이 시작됩니다. "
        "여러 토큰으로 나뉜 글자는 한 칸으로 보입니다.",
        "Lines on which the first tokenizer spends the most tokens a character. A token begins where the colour "
        "changes; a character of several tokens is one box.",
    )
    parts = [f'<h2>{heading}</h2>\n<p class="note">{note}</p>']
    for kind, some in groupby(examples, key=lambda example: example.kind):
        parts.append(f"<h3>{escape(kind)}</h3>")
        parts += ["\n".join(_line(name, example, say) for name in example.pieces) + "<br>" for example in some]
    return parts


def _line(name: str, example: Example, say: Words) -> str:
    pieces = "".join(f'<i class="t{at % 4}">{escape(piece)}</i>' for at, piece in enumerate(example.pieces[name]))
    label = f"{escape(name)} · {example.tokens[name]} {say('토큰', 'tokens')}"
    return f'<p class="line"><b>{label}</b> {pieces}</p>'
