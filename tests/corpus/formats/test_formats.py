"""Every format: the known text comes back, what the file says of itself too, and hostile files are one clear error."""

import bz2
import gzip
import io
import re
import struct
import sys
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the generator is a command too, beside its own modules

import make_files as make
from measure import scores

from axk1.corpus.documents import Document
from axk1.corpus.formats.encoding import decode_page
from axk1.corpus.formats.limits import Limits
from axk1.corpus.formats.table import markdown
from axk1.corpus.formats.wikipedia import wikitext_to_text
from axk1.corpus.readers import read
from axk1.corpus.source import Source
from axk1.corpus.streams import CorpusError

BODY = make.bodies(1)[0]
SPACING = {
    "pdf": 0.7,
    "pdf-inside": 0.05,
    "pdf-columns": 0.6,
    "pdf-columns-inside": 0.05,
}  # a break may be told wrongly


def _read(path: Path, **settings) -> list[Document]:
    return list(read(Source(str(path), **settings), lambda document, reason: None))


def _check(kind: str, count: int, folder: Path, seed: int) -> None:
    found = scores(kind, count, folder, seed)
    assert sum(one.spacing for one in found) / count >= SPACING.get(kind, 1)
    for one in found:
        assert one.recall == 1
        assert one.order
        assert one.boilerplate == 0
        assert one.cells == (0 if kind == "wiki" else 1)


@pytest.mark.parametrize("kind", make.WRITERS)
def test_the_known_text_comes_back(kind, tmp_path):
    _check(kind, 2, tmp_path, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", make.WRITERS)
def test_the_known_text_of_many_files_comes_back(kind, tmp_path):
    _check(kind, 30, tmp_path, seed=2)


@pytest.mark.parametrize("columns", [1, 2])
def test_lines_broken_between_eojeols_are_joined_by_a_space_every_time(columns, tmp_path):
    for number, body in enumerate(make.bodies(3, seed=7)):
        make.write_pdf(tmp_path / f"{number}.pdf", body, columns=columns)
        (document,) = _read(tmp_path / f"{number}.pdf")
        assert all(paragraph in document.text.replace("\n", " ") for paragraph in body.paragraphs)


def test_text_beside_a_wider_table_keeps_the_edge_of_its_column(tmp_path):
    from axk1.corpus.formats.pdf_layout import Piece
    from axk1.corpus.formats.pdf_lines import paragraphs

    lines = [
        Piece("이름은 승원이다. 마을에서", 0, 100, 100, 110),
        Piece("가장 부지런했다. 그래서 다들 좋아했다.", 0, 85, 100, 95),
    ]
    table = Piece("| 가 | 나 |", 0, 20, 300, 60, is_table=True)
    assert paragraphs([[*lines, table]]) == [
        "이름은 승원이다. 마을에서 가장 부지런했다. 그래서 다들 좋아했다.",
        "| 가 | 나 |",
    ]


def test_spaces_at_the_ends_of_other_lines_say_nothing_about_korean_ones():
    from axk1.corpus.formats.pdf_layout import Piece
    from axk1.corpus.formats.pdf_lines import paragraphs

    text = "이름은 승원이다. 마을에서 가장 부지런한 사람이라고 다들 말했다. 그래서 모두가 좋아했다."
    words = text.split()
    lines = [" ".join(words[number : number + 3]) for number in range(0, len(words), 3)]
    prose = [Piece(line, 0, 500 - 15 * number, 200, 510 - 15 * number) for number, line in enumerate(lines)]
    contents = [Piece(f"{number}.1 ", 0, 900 - 15 * number, 200, 910 - 15 * number) for number in range(8)]
    assert paragraphs([contents, prose])[-1].endswith(text)


def test_the_heads_of_short_chapters_go(tmp_path):
    canvas = make.Canvas(str(tmp_path / "a.pdf"), pagesize=make.A4)
    make.pdfmetrics.registerFont(make.UnicodeCIDFont(make.FONT))
    for page in range(12):
        canvas.setFont(make.FONT, 10)
        canvas.drawString(60 + page % 2 * 200, 800, f"{page} 제{page // 3 + 1}장. {'가나다라'[page // 3]}의 역사")
        canvas.drawString(60, 600, f"{page}쪽에 있는 본문이다.")
        canvas.showPage()
    canvas.save()
    (document,) = _read(tmp_path / "a.pdf")
    assert "역사" not in document.text
    assert document.text.count("본문이다.") == 12


@pytest.mark.parametrize("kind", ["html", "pdf", "docx", "pptx", "hwpx", "epub", "warc", "wiki"])
def test_what_the_file_says_of_itself_is_metadata(kind, tmp_path):
    ending, write = make.WRITERS[kind]
    write(tmp_path / f"a{ending}", BODY)
    (document,) = _read(tmp_path / f"a{ending}")
    assert document.metadata["title"] == BODY.title
    assert kind == "wiki" or document.metadata["author"] == "김하늘"
    expected = {
        "html": {"url": "https://example.org/a", "license": "https://creativecommons.org/licenses/by/4.0/"},
        "warc": {"url": "https://example.org/w", "date": "2024-03-01"},
        "wiki": {"date": "2024-01-02T03:04:05Z", "license": "CC BY-SA 4.0"},
        "epub": {"license": "CC0"},
    }.get(kind, {})
    assert expected.items() <= document.metadata.items()


@pytest.mark.parametrize("kind", make.HOPELESS)
def test_a_file_without_readable_text_is_one_reject_that_says_why(kind, tmp_path):
    ending, write = make.HOPELESS[kind]
    write(tmp_path / f"a{ending}", BODY)
    rejects = list[str]()
    source = Source(str(tmp_path / f"a{ending}"), bad_records="skip")
    assert list(read(source, lambda document, reason: rejects.append(document.text))) == []
    said = {"scan": "scanned pages", "locked-pdf": "encrypted PDF", "locked-hwp": "encrypted", "empty": "no text"}[kind]
    assert len(rejects) == 1
    assert said in rejects[0]


@pytest.mark.parametrize("name", [name for name in make.WRITERS if not name.startswith("pdf-")])
@pytest.mark.parametrize("damage", ["cut", "noise", "empty"])
def test_a_damaged_file_is_one_clear_error_or_one_reject(name, damage, tmp_path):
    ending, write = make.WRITERS[name]
    path = tmp_path / f"a{ending}"
    write(path, BODY)
    data = path.read_bytes()
    path.write_bytes({"cut": data[: len(data) // 3], "noise": b"\x93\x01" * 500, "empty": b""}[damage])
    if name.startswith("html") and damage == "cut":
        return  # half a page is a page
    with pytest.raises(CorpusError) as caught:
        _read(path)
    assert "\n" not in str(caught.value)
    rejects = list[str]()
    source = Source(str(path), bad_records="skip")
    assert list(read(source, lambda document, reason: rejects.append(document.text))) == []
    assert rejects == [str(caught.value)]


@pytest.mark.parametrize("kind", ["docx", "pptx", "hwpx", "epub", "hwp"])
def test_an_archive_that_unpacks_without_end_is_an_error(kind, tmp_path):
    ending, write = make.WRITERS[kind]
    write(tmp_path / f"a{ending}", BODY)
    with pytest.raises(CorpusError, match=r"limits\.unpacked_bytes"):
        _read(tmp_path / f"a{ending}", limits=Limits(unpacked_bytes=300))


def test_entities_of_xml_are_not_expanded(tmp_path):
    bomb = '<!DOCTYPE x [<!ENTITY a "가가가"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'
    make.write_zip(tmp_path / "a.hwpx", {"Contents/section0.xml": bomb})
    with pytest.raises(CorpusError, match="declares entities"):
        _read(tmp_path / "a.hwpx")


@pytest.mark.parametrize("depth", [600, 100_000])
def test_deep_nesting_is_an_error_and_a_long_flat_page_is_none(depth, tmp_path):
    (tmp_path / "a.html").write_text("<div>" * depth + "글")
    make.write_zip(tmp_path / "a.hwpx", {"Contents/section0.xml": "<a>" * depth + "</a>" * depth})
    for name in ("a.html", "a.hwpx"):
        with pytest.raises(CorpusError, match=r"limits\.depth"):
            _read(tmp_path / name)
    (tmp_path / "b.html").write_text("<p>" + "<li>글이 있다.<br>" * 2000)
    assert _read(tmp_path / "b.html")[0].text.count("글이 있다.") == 2000


def test_pages_and_bytes_beyond_the_limits_are_errors(tmp_path):
    make.write_pdf(tmp_path / "a.pdf", BODY, columns=2)
    with pytest.raises(CorpusError, match=r"limits\.pages"):
        _read(tmp_path / "a.pdf", limits=Limits(pages=1))
    with pytest.raises(CorpusError, match=r"limits\.file_bytes"):
        _read(tmp_path / "a.pdf", limits=Limits(file_bytes=100))
    (tmp_path / "a.html").write_bytes(make.html(BODY))
    with pytest.raises(CorpusError, match=r"limits\.html_bytes"):
        _read(tmp_path / "a.html", limits=Limits(html_bytes=100))
    with pytest.raises(ValueError, match="depth must be above 0"):
        Limits(depth=0)


def test_a_missing_package_is_one_line_that_says_what_to_install(tmp_path, monkeypatch):
    make.write_pdf(tmp_path / "a.pdf", BODY)
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    with pytest.raises(CorpusError, match=r"^reading \.pdf needs pypdfium2: pip install 'axk1\[corpus\]'$"):
        _read(tmp_path / "a.pdf")


@pytest.mark.parametrize("charset", ["utf-8", "euc-kr", "cp949"])
def test_charsets_by_page_by_server_and_by_guess(charset):
    text = "한국어로 쓴 글이 여기에 있습니다."
    page = text.encode(charset)
    assert decode_page(page) == text
    assert decode_page(page, charset) == text
    assert decode_page(f"<meta charset={charset}>".encode() + page).endswith(text)
    assert decode_page(page, "no-such-charset") == text
    assert decode_page(page, "us-ascii") == text


def _page(tmp_path: Path, body: str) -> str:
    (tmp_path / "a.html").write_text(f"<html><body>{body}</body></html>", encoding="utf-8")
    (document,) = _read(tmp_path / "a.html")
    return document.text


@pytest.mark.parametrize(
    "sentence",
    [
        "<code>preseed/file</code>은 <code>file</code>로 줄여 쓸 수 있다.",
        "<a href='a'>서울</a>과 <b>부산</b>의 <i>값</i>, “<i>작은</i>”\n<b>글</b>이 그것이다.",
        "&ldquo;<b>중요</b>&rdquo;한 값은 <b>1</b>과 <b>2</b>다.",
        "<kbd>가</kbd>를 누르고 <span class='quote'>“<span>나</span>”</span>를 고른다.",
        '물음은 <code class="email">&lt;<a class="email" href="mailto:a@b.kr">a@b.kr</a>&gt;</code>로 보낸다.',
    ],
)
def test_a_lone_character_between_tags_stays(sentence, tmp_path):
    from html import unescape

    expected = " ".join(unescape(re.sub("<[^>]*>", "", sentence)).split())
    assert expected in " ".join(_page(tmp_path, f"<p>앞에 다른 문장이 하나 있다.</p><p>{sentence}</p>").split())


def test_lists_of_text_stay_and_lists_of_links_go(tmp_path):
    items = ["은행은 돈을 맡아 주는 곳이다.", "글", "우체국은 편지를 나르는 곳이다."]
    lists = "".join(f"<{tag}>{''.join(f'<li>{item}</li>' for item in items)}</{tag}>" for tag in ("ul", "ol"))
    links = "".join(f'<li><a href="/{number}">다른 글 {number}번</a></li>' for number in range(3))
    found = _page(tmp_path, f"<p>본문이 여기 있다.</p>{lists}<ul>{links}</ul><dl>{links.replace('li>', 'dt>')}</dl>")
    assert [line.strip() for line in found.split("\n") if line.strip()] == ["본문이 여기 있다.", *items, *items]


def test_tables_that_lead_to_the_next_page_are_no_data(tmp_path):
    row = '<tr><td><a href="a">앞</a></td><td>책</td></tr>'
    head = f'<div class="navheader"><table><tr><th colspan="2">제3장</th></tr>{row}</table></div>'
    found = _page(tmp_path, f"{head}<h1>제3장</h1><p>본문이 여기 있다.</p>")
    assert found.split() == ["제3장", "본문이", "여기", "있다."]


def test_a_page_that_says_euc_kr_may_hold_all_of_cp949_and_a_wrong_byte_costs_one_character():
    assert decode_page(b'<meta charset="euc-kr">' + "똠방각하 펲시".encode("cp949")).endswith("똠방각하 펲시")
    damaged = "한국어로 쓴 긴 글이다. ".encode("cp949") * 20 + b"\xff" + "끝이다.".encode("cp949")
    assert decode_page(damaged).count("\ufffd") == 1


def test_a_broken_warc_record_ends_the_file_with_one_reject_and_others_are_skipped(tmp_path):
    good = make.warc_record(make.html(BODY), "https://example.org/1", "text/html")
    image = make.warc_record(b"\x89PNG", "https://example.org/2", "image/png")
    packed = gzip.compress(good)
    (tmp_path / "a.warc.gz").write_bytes(packed + gzip.compress(image) + packed + packed[: len(packed) // 2])
    rejects = list[str]()
    source = Source(str(tmp_path / "a.warc.gz"), bad_records="skip")
    found = list(read(source, lambda document, reason: rejects.append(reason)))
    assert [document.metadata["url"] for document in found[:2]] == ["https://example.org/1"] * 2
    assert len(found) + len(rejects) == 3


def test_hwp_files_that_are_locked_or_lie_about_sizes_are_errors(tmp_path):
    cases = {
        "encrypted": make.hwp(BODY, flags=3),
        "locked for distribution": make.hwp(BODY, flags=5),
        "runs over the end": make.hwp(BODY, section=struct.pack("<I", 66 | 0xFFE << 20)),
        "nested deeper": make.hwp(BODY, section=struct.pack("<I", 66 | 900 << 10)),
    }
    for reason, data in cases.items():
        (tmp_path / "a.hwp").write_bytes(data)
        with pytest.raises(CorpusError, match=reason):
            _read(tmp_path / "a.hwp")


def test_a_dump_without_its_end_gives_its_pages_and_one_error(tmp_path):
    pages = [make.wiki_page(number, f"문서 {number}", "글이다.") for number in (1, 2)]
    data = bz2.compress(make.wiki_dump(pages).removesuffix(b"</mediawiki>"))
    (tmp_path / "a.xml.bz2").write_bytes(data)
    rejects = list[str]()
    source = Source(str(tmp_path / "a.xml.bz2"), bad_records="skip")
    found = list(read(source, lambda document, reason: rejects.append(document.text)))
    assert [document.text for document in found] == ["글이다.", "글이다."]
    assert len(rejects) == 1
    assert "damaged dump after page 2" in rejects[0]


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("'''서울'''({{llang|en|Seoul}})은 [[대한민국|한국]]의 수도이다.", "서울은 한국의 수도이다."),
        ("글<ref>출처</ref>이다.<!-- 숨김 -->", "글이다."),
        ("[[파일:a.jpg|섬네일|[[사진]] 설명]]본문", "본문"),
        ("본문 [[:분류:가]]\n[[Category:b]]", "본문"),
        ("== 역사 ==\n* 하나\n* 둘\n== 같이 보기 ==\n* [[셋]]", "역사\n하나\n둘"),
        ("앞\n{|\n! 가\n|-\n| 나\n|}\n뒤", "앞\n\n뒤"),
    ],
)
def test_wikitext_leaves_no_markup(wikitext, text):
    assert wikitext_to_text(wikitext) == text


def test_cells_of_a_table_cannot_break_its_rows():
    assert markdown([["a|b", "c\nd"], ["e"]]) == "| a\\|b | c d |\n| --- | --- |\n| e |  |"
    assert markdown([["한 칸"], [""]]) == "한 칸"
    assert markdown([]) == ""


def test_tables_in_cells_and_text_boxes_of_word_files_come_once(tmp_path):
    import docx

    file = docx.Document()
    cell = file.add_table(1, 2).cell(0, 0)
    cell.text = "밖"
    cell.add_table(1, 2).cell(0, 0).text = "안"
    file.save(str(tmp_path / "a.docx"))
    (document,) = _read(tmp_path / "a.docx")
    assert document.text.count("밖") == document.text.count("안") == 1


def test_an_encrypted_zip_is_an_error(tmp_path):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("word/document.xml", "<a/>")
    locked = data.getvalue().replace(b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01")
    locked = locked.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")
    (tmp_path / "a.docx").write_bytes(locked)
    with pytest.raises(CorpusError, match=r"cannot read the part word/document\.xml"):
        _read(tmp_path / "a.docx")
