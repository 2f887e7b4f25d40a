import json
import shutil
import subprocess
import sys
import unicodedata
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from axk1.cli import main
from axk1.config import ConfigError, load
from axk1.corpus.documents import Document, JsonLines
from axk1.corpus.release.check import check_release
from axk1.corpus.release.opt_out import text_digest
from axk1.corpus.release.settings import Licence, ReleaseSettings, SourceTerms
from axk1.corpus.release.write import checksums, write_release
from axk1.corpus.streams import CorpusError

SETTINGS = ReleaseSettings(
    name="small",
    version="1.0.0",
    date="2026-01-31",
    url="https://example.org/small",
    contact="out@example.org",
    creators=("Somebody",),
    description_ko="작은 말뭉치입니다.",
    description_en="A small corpus.",
    sources={
        "law": SourceTerms("LicenseRef-Law", "the state", "https://law.example/", "notes removed"),
        "talk": SourceTerms("CC-BY-4.0", "people | others"),
    },
    licenses={"LicenseRef-Law": Licence("저작권법 제7조", "free by law")},
    shard_bytes=400,
    samples=7,
)
NASTY = "</script><script>alert(1)</script> <b>글</b> & \u2028 끝"
DOCUMENTS = [
    *(Document(f"제{n}조 이 법은 {n}에 관한 것이다." * (n % 3 + 1), f"law:{n}", "law") for n in range(20)),
    *(Document(f"오늘은 {n}번 웃었다", f"talk:{n}", "talk") for n in range(30)),
    Document(NASTY, "talk:nasty", "talk", {"license": "CC0-1.0", "url": "https://talk.example/9", "quality": 0.5}),
]
HELD_OUT = [Document("따로 둔 글", "talk:held", "talk"), Document("오늘은 3번 웃었다", "talk:held2", "talk")]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    for name, documents in (("train", [*DOCUMENTS, DOCUMENTS[0]]), ("validation", HELD_OUT)):
        with JsonLines(folder / f"{name}.jsonl.zst") as file:
            for document in documents:
                file.write(document.to_json())
    report = {
        "steps": ["nfc"],
        "sources": [{"dropped": {"quality: shouting": 3}}, {"dropped": {"quality: shouting": 1}}],
    }
    (folder / "report.json").write_text(json.dumps(report))
    return folder


def released(corpus, folder, settings=SETTINGS, opt_out=None, scan=None):
    contents = write_release(corpus, folder, settings, opt_out, scan, lambda *_: None)
    return folder, contents


@pytest.fixture(scope="module")
def release(corpus, tmp_path_factory):
    return released(corpus, tmp_path_factory.mktemp("release") / "small")[0]


def problems(folder, scan=None):
    return {finding.english: finding.problems for finding in check_release(folder, scan) if finding.problems}


def rows(folder, split="*"):
    return pl.read_parquet(folder / "data" / f"{split}-*.parquet").to_dicts()


def test_every_text_is_there_once_and_the_held_out_ones_are_not_trained_on(release):
    found = {row["text"] for row in rows(release)}
    assert found == {document.text for document in (*DOCUMENTS, *HELD_OUT)}
    assert len(rows(release)) == len(found)
    assert {row["text"] for row in rows(release, "validation")} == {document.text for document in HELD_OUT}
    assert len(list((release / "data").glob("train-*.parquet"))) > 2, "shards are bounded"


def test_a_document_says_more_of_itself_than_its_source_does(release):
    by_id = {row["id"]: row for row in rows(release)}
    nasty, law = by_id["talk:nasty"], by_id["law:1"]
    assert (nasty["license"], nasty["attribution"], nasty["url"]) == (
        "CC0-1.0",
        "people | others",
        "https://talk.example/9",
    )
    assert json.loads(nasty["metadata"]) == {"quality": 0.5}
    assert (law["license"], law["changes"], law["metadata"]) == ("LicenseRef-Law", "notes removed", "{}")


def test_the_same_corpus_gives_the_same_bytes(corpus, release, tmp_path):
    again, _ = released(corpus, tmp_path / "small")
    assert checksums(again) == checksums(release)


def test_a_release_is_what_it_says(release):
    assert problems(release) == {}


def test_the_tools_of_its_users_open_it(release):
    """In a process of its own: these packages warn, and would be online if they could."""
    script = """
import datasets, mlcroissant, sys
data = datasets.load_dataset(sys.argv[1])
assert {split: len(rows) for split, rows in data.items()} == {"train": 50, "validation": 2}, data
described = mlcroissant.Dataset(sys.argv[1] + "/croissant.json")
assert not described.metadata.issues.errors, described.metadata.issues.report()
texts = {row["train/text"].decode() for row in described.records("train")}
assert len(texts) == 50, len(texts)
"""
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(release.parent / "cache"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", script, str(release)], env=offline, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    done = subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=release, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_card_tells_counts_terms_and_what_was_dropped_in_both_languages(release):
    english, korean = ((release / name).read_text(encoding="utf-8") for name in ("README.md", "README.ko.md"))
    for card in (english, korean):
        assert "| quality: shouting | 4 |" in card
        assert "people \\| others" in card
        assert "out@example.org" in card
        assert "LicenseRef-Law 20개" in card or "LicenseRef-Law (20)" in card
    assert english.startswith('---\nlicense: "other"\n')
    assert SETTINGS.description_ko in korean


class Scripts(HTMLParser):
    """The texts of all script elements of a page, as a browser cuts them."""

    def __init__(self, page):
        super().__init__()
        self.found, self._inside = [], False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self._inside = tag == "script"
        if self._inside:
            self.found.append("")

    def handle_endtag(self, tag):
        self._inside = False

    def handle_data(self, data):
        if self._inside:
            self.found[-1] += data


def test_texts_are_data_in_the_viewer_never_markup(corpus, tmp_path):
    folder, _ = released(corpus, tmp_path / "out", replace(SETTINGS, samples=100))
    data, _program = Scripts((folder / "viewer.html").read_text(encoding="utf-8")).found
    assert {one["text"] for one in json.loads(data)} == {document.text for document in (*DOCUMENTS, *HELD_OUT)}


def test_the_sources_share_the_viewer_evenly(release):
    data, _program = Scripts((release / "viewer.html").read_text(encoding="utf-8")).found
    assert Counter(one["source"] for one in json.loads(data)) == {"law": 4, "talk": 3}


def test_who_asked_to_be_left_out_is_left_out_and_that_can_be_checked(corpus, tmp_path):
    file = tmp_path / "opt-out.txt"
    digest = text_digest(DOCUMENTS[5].text)
    file.write_text(f"# asked in May\nid talk:3\nurl https://talk.example/\nsha256 {digest}\n\n", encoding="utf-8")
    folder, contents = released(corpus, tmp_path / "out", opt_out=file)
    gone = {DOCUMENTS[5].text, DOCUMENTS[23].text, NASTY}
    assert not gone & {row["text"] for row in rows(folder, "train")}
    assert contents.opted_out == 3
    said = json.loads((folder / "opt_out.json").read_text(encoding="utf-8"))
    assert set(said["sha256"]) == {text_digest(text) for text in gone}


def test_what_a_scan_finds_is_told(corpus, tmp_path):
    def scan(text):
        return {"number": text.count("3")} if "3" in text else {}

    folder, _ = released(corpus, tmp_path / "out", scan=scan)
    assert json.loads((folder / "privacy.json").read_text())["found"]["number"] > 5
    assert "number (" in (folder / "README.md").read_text()
    assert problems(folder, scan) == {}
    assert "report on personal data" in problems(folder, lambda text: {"number": 1})


def rewrite(folder, change):
    """Change the rows of the first table, and make the sums fit again: only the content is wrong then."""
    file = min((folder / "data").glob("train-*.parquet"))
    table = pl.read_parquet(file).to_dicts()
    change(table)
    pq.write_table(pa.Table.from_pylist(table, schema=pq.read_schema(file)), file)
    (folder / "SHA256SUMS").write_text(checksums(folder))


CHANGES = {
    "texts that stand here twice": lambda rows: rows.append(dict(rows[0])),
    "licences": lambda rows: rows[0].update(license="Free-As-In-Beer"),
    "texts that are empty or not NFC": lambda rows: rows[0].update(text=unicodedata.normalize("NFD", rows[0]["text"])),
    "statistics": lambda rows: rows.pop(),
    "texts that were opted out": lambda rows: rows[0].update(text="나를 빼 줘"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_check_finds(kind, release, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(release, folder)
    asked = folder / "opt_out.json"
    asked.write_text(json.dumps({"contact": "", "sha256": [text_digest("나를 빼 줘")]}))
    rewrite(folder, CHANGES[kind])
    found = problems(folder)
    assert kind in found
    assert "digests in croissant.json" in found


@pytest.mark.parametrize("name", ["viewer.html", "data/validation-00000-of-00001.parquet", "surplus.txt"])
def test_a_check_finds_changed_missing_and_surplus_files(name, release, tmp_path, capsys):
    folder = tmp_path / "copy"
    shutil.copytree(release, folder)
    assert main(["--lang", "ko", "data", "check", str(folder)]) == 0
    assert "모두 맞습니다" in capsys.readouterr().out
    with open(folder / name, "ab") as file:
        file.write(b"x")
    assert main(["data", "check", str(folder)]) == 1
    assert name in capsys.readouterr().out


def test_what_is_no_release_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="SHA256SUMS is missing"):
        list(check_release(tmp_path, None))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sources": {}}, r"source 'talk' has no licence"),
        ({"licenses": {}}, r"license LicenseRef-Law: write what it says"),
    ],
)
def test_a_document_without_terms_is_not_released(change, message, corpus, tmp_path):
    with pytest.raises(CorpusError, match=message):
        released(corpus, tmp_path / "out", replace(SETTINGS, **change))
    assert not list(tmp_path.iterdir()), "nothing half written is left"


def test_what_a_pipeline_left_is_released_with_its_steps(tmp_path):
    (tmp_path / "texts").mkdir()
    lines = [json.dumps({"text": text}) + "\n" for text in ("하나", "둘", "하나", " ")]
    (tmp_path / "texts/law.jsonl").write_text("".join(lines))
    settings = tmp_path / "pipeline.toml"
    settings.write_text('steps = ["nfc", "drop_empty", "exact_dedup"]\nsources = [{ path = "law.jsonl" }]\n')
    out = tmp_path / "cleaned"
    assert main(["corpus", "build", str(settings), "--text", str(tmp_path / "texts"), "--out", str(out)]) == 0
    folder, _ = released(out, tmp_path / "out")
    assert {row["text"] for row in rows(folder, "train")} == {"하나", "둘"}
    made = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    assert made["steps"] == ["nfc", "drop_empty", "exact_dedup"]
    assert made["dropped"] == {"drop_empty: no text": 1, "exact_dedup: seen before": 1}


def test_an_empty_corpus_is_not_released(tmp_path):
    with pytest.raises(CorpusError, match="no corpus here"):
        released(tmp_path, tmp_path / "out")


def test_a_wrong_opt_out_line_is_named(corpus, tmp_path):
    file = tmp_path / "opt-out.txt"
    file.write_text("id a\nplease remove me\n")
    with pytest.raises(CorpusError, match=r"opt-out.txt:2"):
        released(corpus, tmp_path / "out", opt_out=file)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('name = "a b"', "use letters"),
        ('version = "1"', "1.0.0"),
        ('date = "yesterday"', "2026-01-31"),
        ("[sources.x]\nlicense = 'CC BY'", "SPDX knows no"),
        ("[sources.x]\nlicense = 'MIT AND'", "no SPDX expression"),
        ("[licenses.Mine]\nname = 'a'\ntext = 'b'", "SPDX wants LicenseRef-NAME"),
    ],
)
def test_settings_are_checked(line, message, tmp_path):
    values = {
        "name": '"a"', "version": '"1.0.0"', "date": '"2026-01-31"', "url": '""', "contact": '""', "creators": "[]",
        "description_ko": '""', "description_en": '""',
    }  # fmt: skip
    values.pop(line.partition(" ")[0], None)
    file = tmp_path / "release.toml"
    file.write_text("".join(f"{key} = {value}\n" for key, value in values.items()) + line + "\n")
    with pytest.raises(ConfigError, match=message):
        load(file, ReleaseSettings)


def test_the_command_releases(corpus, tmp_path, capsys):
    file = tmp_path / "release.toml"
    file.write_text(
        'name = "a"\nversion = "1.0.0"\ndate = "2026-01-31"\nurl = ""\ncontact = "c"\ncreators = ["x"]\n'
        'description_ko = "가"\ndescription_en = "b"\nopt_out = "out.txt"\n'
        '[sources.law]\nlicense = "CC0-1.0"\n[sources.talk]\nlicense = "CC0-1.0"\n',
        encoding="utf-8",
    )
    (tmp_path / "out.txt").write_text("id law:1\n")
    assert main(["--lang", "ko", "data", "release", str(corpus), str(file), "--out", str(tmp_path / "a")]) == 0
    assert "문서 51개" in capsys.readouterr().out
    assert problems(tmp_path / "a") == {}
