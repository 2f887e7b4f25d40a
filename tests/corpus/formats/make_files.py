"""Files of every document format with a known text, from the built-in narratives.

`python tests/corpus/formats/make_files.py FOLDER --count 30` writes 30 of each kind.
"""

import argparse
import bz2
import gzip
import itertools
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path

import docx
import pptx
from ole import ole
from PIL import Image
from pptx.util import Inches
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from axk1.corpus.narrative import narratives

BOILERPLATE = (
    "홈으로 로그인 회원가입",
    "지금 구매하면 반값 할인",
    "댓글 남기기 정말 재미있네요",
    "무단 전재 및 재배포 금지",
    "관련 기사 더 보기",
)
HEADER, FOOTER = "한빛 연구소 월간 소식", "저작권자 한빛 연구소"
FONT = "HYSMyeongJo-Medium"  # one of the Korean fonts that PDF readers know without an embedded file


@dataclass(frozen=True)
class Body:
    title: str
    paragraphs: tuple[str, ...]
    table: tuple[tuple[str, ...], ...]


def bodies(count: int, seed: int = 1, size: int = 8) -> list[Body]:
    """Bodies of `size` Korean paragraphs of one line each, and a table."""
    texts = (" ".join(text.split()) for text in narratives(seed, "train") if not text.isascii())
    rng = random.Random(seed)
    made = list[Body]()
    for number in range(count):
        paragraphs = tuple(text for text in itertools.islice((t for t in texts if len(t) > 80), size))
        rows = [
            (f"{name} {number}", f"{rng.randrange(1000)}개", f"{rng.randrange(1, 90) * 100:,}원")
            for name in ("사과", "배", "귤")
        ]
        made.append(Body(f"{number}번째 이야기 모음", paragraphs, (("물건", "수량", "가격"), *rows)))
    return made


def marked(text: str) -> str:
    """HTML in which every third word is set in bold but for its last letter, mostly a particle: <b>이름</b>은."""
    words = [escape(word) for word in text.split(" ")]
    words[::3] = [f"<b>{word[:-1]}</b>{word[-1]}" if word.isalpha() and len(word) > 1 else word for word in words[::3]]
    return " ".join(words)


def html(body: Body, charset: str = "utf-8", *, declared: bool = True) -> bytes:
    meta = f'<meta charset="{charset}">' if declared else ""
    rows = "".join(f"<tr>{''.join(f'<td>{escape(c)}</td>' for c in row)}</tr>" for row in body.table)
    text = "".join(f"<p>{marked(p)}</p>\n" for p in body.paragraphs)
    page = f"""<!DOCTYPE html><html lang="ko"><head>{meta}<title>{body.title}</title>
<meta name="author" content="김하늘"><meta property="article:published_time" content="2024-03-01">
<link rel="canonical" href="https://example.org/a">
<link rel="license" href="https://creativecommons.org/licenses/by/4.0/">
<style>p {{ color: red }}</style><script>var a = "<div>";</script></head><body>
<nav class="menu"><ul><li><a href="/">{BOILERPLATE[0]}</a></li><li><a href="/b">목록</a></li></ul></nav>
<div id="wrap"><main><article><h1>{body.title}</h1><div class="ad">{BOILERPLATE[1]}</div>
{text}<table>{rows}</table></article></main>
<div class="comments"><p>{BOILERPLATE[2]}</p></div>
<aside class="related"><a href="/c">{BOILERPLATE[4]}</a></aside></div>
<footer><p>{BOILERPLATE[3]}</p></footer></body></html>"""
    return page.encode(charset, "xmlcharrefreplace")


def write_html(path: Path, body: Body) -> None:
    path.write_bytes(html(body, random.Random(body.title).choice(["utf-8", "euc-kr", "cp949"])))


def write_old_html(path: Path, body: Body) -> None:
    """As pages were written in 2003: laid out by tables, tags in capitals and left open, the charset undeclared."""
    rows = "".join(f"<TR>{''.join(f'<TD>{escape(c)}' for c in row)}" for row in body.table)
    links = "".join(f"<LI><A HREF=m{number}.htm>{name}</A>" for number, name in enumerate(BOILERPLATE[:2]))
    path.write_bytes(
        f"""<HTML><HEAD><TITLE>{body.title}</TITLE></HEAD><BODY BGCOLOR=white>
<!-- {BOILERPLATE[2]} --><TABLE WIDTH=800><TR><TD WIDTH=150><UL>{links}</UL></TD><TD>
<H1>{body.title}</H1>{"".join(f"<P>{marked(p)}" for p in body.paragraphs)}
<TABLE BORDER=1>{rows}</TABLE></TD></TR></TABLE>
<SCRIPT>document.write("<P>{BOILERPLATE[4]}");</SCRIPT></BODY></HTML>""".encode("cp949", "xmlcharrefreplace")
    )


def warc_record(page: bytes, url: str, content_type: str) -> bytes:
    http = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(page)}\r\n\r\n".encode() + page
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2024-05-06T07:08:09Z\r\n"
        f"WARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-000000000000>\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
    )
    return head.encode() + http + b"\r\n\r\n"


def write_warc(path: Path, body: Body) -> None:
    """The charset stands in the HTTP header alone."""
    page = html(body, "cp949", declared=False)
    path.write_bytes(gzip.compress(warc_record(page, "https://example.org/w", "text/html; charset=euc-kr")))


def wrapped(text: str, size: float, width: float, *, inside: bool) -> list[str]:
    """Lines no wider than `width` points, broken between eojeols or (`inside`) after any character."""
    lines, line = list[str](), ""
    for unit in text if inside else (word + " " for word in text.split()):
        if pdfmetrics.stringWidth((line + unit).rstrip(), FONT, size) > width:
            lines.append(line.rstrip())
            line = "" if unit == " " else unit
        else:
            line += unit
    return [*lines, line.rstrip()]


def write_pdf(path: Path, body: Body, *, columns: int = 1, inside: bool = False, table: bool = True) -> None:
    """Pages with a header, a footer and numbers; with columns, the title spans them."""
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    canvas = Canvas(str(path), pagesize=A4)
    canvas.setTitle(body.title)
    canvas.setAuthor("김하늘")
    width = (A4[0] - 120 - 24 * (columns - 1)) / columns
    page, column, y = 1, 0, 730.0

    def furniture() -> None:
        canvas.setFont(FONT, 9)
        canvas.drawString(60, 800, HEADER)
        canvas.drawString(60, 40, FOOTER)
        canvas.drawCentredString(A4[0] / 2, 25, f"- {page} -")
        canvas.setFont(FONT, 10)

    furniture()
    canvas.setFont(FONT, 16)
    canvas.drawString(60, 755, body.title)
    canvas.setFont(FONT, 10)
    bottom = 500 if columns > 1 or len(body.paragraphs) < 9 else 80
    for paragraph in body.paragraphs:
        for line in wrapped(paragraph, 10, width, inside=inside):
            if y < bottom:
                column, y = column + 1, 730.0
            if column == columns:
                canvas.showPage()
                page, column = page + 1, 0
                furniture()
            canvas.drawString(60 + column * (width + 24), y, line)
            y -= 15
        y -= 9
    if table:
        _table(canvas, body.table, 60, 300)
    canvas.showPage()
    canvas.save()


def _table(canvas: Canvas, rows: tuple[tuple[str, ...], ...], x: float, y: float) -> None:
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            canvas.rect(x + 90 * column, y - 20 * number, 90, 20)
            canvas.drawString(x + 90 * column + 4, y - 20 * number + 6, cell)


def write_docx(path: Path, body: Body) -> None:
    file = docx.Document()
    file.core_properties.title, file.core_properties.author = body.title, "김하늘"
    file.sections[0].header.paragraphs[0].text, file.sections[0].footer.paragraphs[0].text = HEADER, FOOTER
    file.add_heading(body.title)
    for paragraph in body.paragraphs:
        added = file.add_paragraph()
        added.add_run(paragraph[:7]).bold = True  # runs that end inside an eojeol
        added.add_run(paragraph[7:])
    table = file.add_table(len(body.table), len(body.table[0]))
    for cells, row in zip(table.rows, body.table, strict=True):
        for cell, text in zip(cells.cells, row, strict=True):
            cell.text = text
    file.save(str(path))


def write_pptx(path: Path, body: Body) -> None:
    """A slide a paragraph; every second paragraph stands in the notes of the slide before; the table comes last."""
    file = pptx.Presentation()
    file.core_properties.title, file.core_properties.author = body.title, "김하늘"
    for number, paragraph in enumerate(body.paragraphs):
        if number % 2:
            slide.notes_slide.notes_text_frame.text = paragraph  # noqa: F821 (the slide of the round before)
            continue
        slide = file.slides.add_slide(file.slide_layouts[1])
        slide.shapes.title.text = body.title
        slide.placeholders[1].text = paragraph
    shapes = file.slides.add_slide(file.slide_layouts[5]).shapes
    table = shapes.add_table(len(body.table), 3, Inches(1), Inches(1), Inches(6), Inches(2)).table
    for r, row in enumerate(body.table):
        for c, text in enumerate(row):
            table.cell(r, c).text = text
    file.save(str(path))


def _record(tag: int, level: int, data: bytes) -> bytes:
    size = min(len(data), 0xFFF)
    return (
        struct.pack("<I", tag | level << 10 | size << 20)
        + (struct.pack("<I", len(data)) if size == 0xFFF else b"")
        + data
    )


def _hwp_paragraph(text: str, level: int, *, before: bytes = b"") -> bytes:
    return _record(66, level, bytes(22)) + _record(67, level + 1, before + text.encode("utf-16-le") + b"\r\0")


def _hwp_table(rows: tuple[tuple[str, ...], ...]) -> bytes:
    """A paragraph with the character of a table, the control, its cells and their paragraphs."""
    mark = struct.pack("<H4s8xH", 11, b" lbt", 11)
    made = _hwp_paragraph("", 0, before=mark) + _record(71, 1, b" lbt" + bytes(42)) + _record(77, 2, bytes(30))
    for r, row in enumerate(rows):
        for c, text in enumerate(row):
            made += _record(72, 2, struct.pack("<HHIHHHH", 1, 0, 0, c, r, 1, 1) + bytes(26)) + _hwp_paragraph(text, 2)
    return made


def hwp(body: Body, *, flags: int = 1, section: bytes | None = None) -> bytes:
    """An .hwp 5 file: a page header control (left out of the text), the title, paragraphs with a tab, the table."""
    secd = struct.pack("<H4s8xH", 2, b"dces", 2) + struct.pack("<H4s8xH", 16, b"daeh", 16)
    made = _hwp_paragraph(body.title, 0, before=secd)
    made += _record(71, 1, b"daeh" + bytes(8)) + _record(72, 2, bytes(8)) + _hwp_paragraph(HEADER, 2)
    made += b"".join(_hwp_paragraph(text, 0) for text in body.paragraphs) + _hwp_table(body.table)
    made = made if section is None else section
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(made) + packer.flush() if flags & 1 else made
    header = b"HWP Document File".ljust(32, b"\0") + struct.pack("<II", 0x05000300, flags) + bytes(216)
    return ole({"FileHeader": header, "BodyText/Section0": packed})


def write_hwp(path: Path, body: Body) -> None:
    path.write_bytes(hwp(body))


def write_hwpx(path: Path, body: Body) -> None:
    def p(text: str) -> str:
        runs = (f"<hp:run><hp:t>{escape(part)}</hp:t></hp:run>" for part in (text[:5], text[5:]))
        return f"<hp:p>{''.join(runs)}</hp:p>"

    def cell(text: str) -> str:
        return f"<hp:tc><hp:subList>{p(text)}</hp:subList></hp:tc>"

    rows = "".join(f"<hp:tr>{''.join(map(cell, row))}</hp:tr>" for row in body.table)
    control = f"<hp:ctrl><hp:header><hp:subList>{p(HEADER)}</hp:subList></hp:header></hp:ctrl>"
    section = (
        '<?xml version="1.0" encoding="UTF-8"?><hs:sec xmlns:hs="http://www.hancom.co.kr/hwpml/2011/section"'
        ' xmlns:hp="http://www.hancom.co.kr/hwpml/2011/paragraph">'
        f"<hp:p><hp:run><hp:secPr/>{control}</hp:run><hp:run><hp:t>{body.title}</hp:t></hp:run></hp:p>"
        f"{''.join(map(p, body.paragraphs))}<hp:p><hp:run><hp:tbl>{rows}</hp:tbl></hp:run></hp:p></hs:sec>"
    )
    package = (
        '<opf:package xmlns:opf="http://www.idpf.org/2007/opf/"><opf:metadata>'
        f"<opf:title>{body.title}</opf:title>"
        '<opf:meta name="creator" content="text">김하늘</opf:meta></opf:metadata></opf:package>'
    )
    write_zip(
        path, {"mimetype": "application/hwp+zip", "Contents/content.hpf": package, "Contents/section0.xml": section}
    )


def write_epub(path: Path, body: Body) -> None:
    """A chapter a paragraph; their names sort against the spine; the table stands in the last one."""
    rows = "".join(f"<tr>{''.join(f'<td>{escape(c)}</td>' for c in row)}</tr>" for row in body.table)
    chapters = [f"<p>{escape(text)}</p>" for text in body.paragraphs] + [f"<table>{rows}</table>"]
    names = [f"c{99 - number}.xhtml" for number in range(len(chapters))]
    items = "".join(f'<item id="{n}" href="{n}" media-type="application/xhtml+xml"/>' for n in sorted(names))
    spine = "".join(f'<itemref idref="{n}"/>' for n in names)
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        f"<dc:title>{body.title}</dc:title><dc:creator>김하늘</dc:creator><dc:rights>CC0</dc:rights></metadata><manifest>"
        f'<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>{items}</manifest>'
        f'<spine><itemref idref="nav"/>{spine}</spine></package>'
    )
    container = '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
    parts = {"mimetype": "application/epub+zip", "META-INF/container.xml": container, "OEBPS/book.opf": package}
    wrap = '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>t</title></head><body>{}</body></html>'
    parts |= {f"OEBPS/{n}": wrap.format(text) for n, text in zip(names, chapters, strict=True)}
    write_zip(path, {**parts, "OEBPS/nav.xhtml": wrap.format(BOILERPLATE[0])})


def write_zip(path: Path, parts: dict[str, str | bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in parts.items():
            file.writestr(name, data)


def wiki_page(number: int, title: str, text: str, *, ns: int = 0, redirect: str = "") -> str:
    moved = f'<redirect title="{redirect}"/>' if redirect else ""
    return (
        f"<page><title>{escape(title)}</title><ns>{ns}</ns><id>{number}</id>{moved}<revision><id>{number}9</id>"
        f'<timestamp>2024-01-02T03:04:05Z</timestamp><text xml:space="preserve">{escape(text)}</text></revision></page>'
    )


def wiki_dump(pages: list[str]) -> bytes:
    head = '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/"><siteinfo><base>https://ko.wikipedia.org/wiki/%EB%8C%80</base></siteinfo>'
    return (head + "".join(pages) + "</mediawiki>").encode()


def wikitext(body: Body) -> str:
    """Markup around and inside the paragraphs that must leave no trace, a table that goes, and closing sections."""
    text = [
        f"{{{{정보 상자|이름={BOILERPLATE[0]}|값={{{{속|{BOILERPLATE[1]}}}}}}}}}",
        "[[파일:a.jpg|섬네일|[[링크]] 설명]]",
    ]
    for number, paragraph in enumerate(body.paragraphs):
        word, _, rest = paragraph.partition(" ")
        text += [f"== {number}장 ==", f"[[문서 {number}|{word}]] {rest}<ref name=a>{BOILERPLATE[2]}</ref>"]
    text += ["{| class=wikitable", "! 가 !! 나", "|-", f"| 하나 || {BOILERPLATE[4]}", "|}", "== 각주 ==", "{{각주}}"]
    return "\n\n".join([*text, "== 외부 링크 ==", f"* [http://a.example {BOILERPLATE[3]}]", "[[분류:이야기]]"])


def write_wiki(path: Path, body: Body) -> None:
    pages = [wiki_page(1, "옮겨 온 곳", "#넘겨주기 [[x]]", redirect="x"), wiki_page(2, "틀:가", BOILERPLATE[3], ns=10)]
    path.write_bytes(bz2.compress(wiki_dump([*pages, wiki_page(3, body.title, wikitext(body))])))


def write_scan(path: Path, body: Body) -> None:
    """A page that is a picture, as scanners write them."""
    canvas = Canvas(str(path), pagesize=A4)
    grey = bytes(random.Random(body.title).randbytes(64 * 64))
    canvas.drawInlineImage(Image.frombytes("L", (64, 64), grey), 60, 60, 400, 600)
    canvas.showPage()
    canvas.save()


def write_locked_pdf(path: Path, body: Body) -> None:
    canvas = Canvas(str(path), pagesize=A4, encrypt=StandardEncryption("열쇠".encode().hex(), strength=128))
    canvas.drawString(60, 700, str(len(body.paragraphs)))
    canvas.save()


Writer = Callable[[Path, Body], None]
HOPELESS: dict[str, tuple[str, Writer]] = {
    "scan": (".pdf", write_scan),
    "locked-pdf": (".pdf", write_locked_pdf),
    "locked-hwp": (".hwp", lambda path, body: path.write_bytes(hwp(body, flags=3)) and None),
    "empty": (".html", lambda path, body: path.write_bytes(b"<html><body><script>1</script></body></html>") and None),
}
"""Files without a text that could be read: each is one reject."""
WRITERS: dict[str, tuple[str, Writer]] = {
    "html": (".html", write_html),
    "html-old": (".htm", write_old_html),
    "warc": (".warc.gz", write_warc),
    "pdf": (".pdf", write_pdf),
    "pdf-inside": (".pdf", lambda path, body: write_pdf(path, body, inside=True)),
    "pdf-columns": (".pdf", lambda path, body: write_pdf(path, body, columns=2)),
    "pdf-columns-inside": (".pdf", lambda path, body: write_pdf(path, body, columns=2, inside=True)),
    "docx": (".docx", write_docx),
    "pptx": (".pptx", write_pptx),
    "hwp": (".hwp", write_hwp),
    "hwpx": (".hwpx", write_hwpx),
    "epub": (".epub", write_epub),
    "wiki": (".xml.bz2", write_wiki),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=30)
    options = parser.parse_args()
    for kind, (ending, write) in {**WRITERS, **HOPELESS}.items():
        (options.folder / kind).mkdir(parents=True, exist_ok=True)
        for number, body in enumerate(bodies(options.count)):
            write(options.folder / kind / f"{number:03}{ending}", body)


if __name__ == "__main__":
    main()
