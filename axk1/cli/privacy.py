"""`axk1 corpus privacy | unmask | new-key`: look for personal data in files, restore sealed values, make a key."""

import argparse
import json
from importlib import import_module
from pathlib import Path

from axk1.cli.words import Words
from axk1.config import to_mapping
from axk1.corpus.documents import Document, JsonLines, read_documents
from axk1.corpus.privacy.finding import FOUND, LABELS
from axk1.corpus.privacy.keys import new_key, read_key
from axk1.corpus.privacy.report import PrivacyReport, privacy_report
from axk1.corpus.privacy.step import Privacy
from axk1.runs import whole_file

__all__ = ["make_key", "scan", "unmask"]


def scan(argv: list[str], say: Words) -> int:
    """Count what the rules find in a .jsonl.zst of documents; no value is shown."""
    parser = argparse.ArgumentParser(
        prog="axk1 corpus privacy",
        description=say("개인정보가 몇 건 있는지 세기", "count the personal data in a corpus file"),
    )
    parser.add_argument("file", type=Path, help=say("문서 파일 (.jsonl.zst)", "documents (.jsonl.zst)"))
    parser.add_argument("--json", action="store_true", help=say("기계가 읽을 JSON으로", "as JSON, for machines"))
    options = parser.parse_args(argv)
    documents = (_without_counts(document) for document in read_documents(options.file))
    report = privacy_report(Privacy()(documents, lambda _document, _reason: None))
    print(json.dumps(to_mapping(report), ensure_ascii=False) if options.json else _shown(report, say))
    return 0


def _without_counts(document: Document) -> Document:
    """Counts of an earlier pass would be added up with those of this one."""
    kept = {key: value for key, value in document.metadata.items() if not key.startswith(FOUND)}
    return Document(document.text, document.id, document.source, kept)


def _shown(report: PrivacyReport, say: Words) -> str:
    head = say(
        f"문서 {report.documents:,}개 가운데 {report.affected:,}개에서 찾았습니다.",
        f"found in {report.affected:,} of {report.documents:,} documents",
    )
    rows = (f"  {say(LABELS[kind], kind):<20}{count:>10,}" for kind, count in report.found.items())
    return "\n".join((head, *rows))


def unmask(argv: list[str], say: Words) -> int:
    """Restore the values that the policy `reversible` sealed, into a new file."""
    parser = argparse.ArgumentParser(
        prog="axk1 corpus unmask", description=say("암호화한 값을 되돌리기", "restore sealed values with the key")
    )
    parser.add_argument("file", type=Path, help=say("문서 파일 (.jsonl.zst)", "documents (.jsonl.zst)"))
    parser.add_argument("out", type=Path, help=say("새 파일", "the new file"))
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help=say("키 파일", "the key file"))
    options = parser.parse_args(argv)
    sealer = import_module("axk1.corpus.privacy.seal").Sealer(read_key(options.key))
    with whole_file(options.out) as partial, JsonLines(partial) as lines:
        for document in read_documents(options.file):
            lines.write(sealer.unsealed(document).to_json())
    print(
        say(
            f"문서 {lines.written:,}개를 {options.out}에 썼습니다.",
            f"wrote {lines.written:,} documents to {options.out}",
        )
    )
    return 0


def make_key(argv: list[str], say: Words) -> int:
    """Write a new key file that only its owner can read."""
    parser = argparse.ArgumentParser(
        prog="axk1 corpus new-key",
        description=say("가명과 암호화에 쓸 키 만들기", "make a key for pseudonyms and sealing"),
    )
    parser.add_argument("file", type=Path)
    path = parser.parse_args(argv).file
    try:
        new_key(path)
    except FileExistsError as error:
        raise ValueError(f"{path} exists; a key that sealed anything is never replaced") from error
    print(
        say(
            f"{path}에 키를 만들었습니다. 잃어버리면 값을 되돌릴 수 없으니 말뭉치와 따로 보관하세요.",
            f"made the key {path}; without it nothing can be restored, so keep it, and apart from the corpus",
        )
    )
    return 0
