import json
import re
from pathlib import Path

import pytest

from axk1.cli import main
from axk1.tokenizer.train import train

TEXT = "거실 불을 켜 줘 <b>&\n사람이 거실에서 <script>alert(1)</script> 책을 읽었습니다\n"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    made = []
    for name, size in (("small", 300), ("lar<ge", 400)):
        folder = tmp_path_factory.mktemp("tokenizers") / name
        train([TEXT] * 9, size).save(folder)
        made.append(folder)
    return made


@pytest.fixture
def text(tmp_path: Path) -> Path:
    file = tmp_path / "home<i>.txt"
    file.write_text(TEXT, encoding="utf-8")
    return file


def test_audit_as_json(folders: list[Path], text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--lang", "ko", "tokenizer", "audit", *map(str, folders), "--text", str(text), "--price", "3", "--json"]
    assert main(command) == 0
    small, large = json.loads(capsys.readouterr().out)
    assert (small["name"], large["name"]) == ("small", "lar<ge")
    kind = "home<i>"
    assert small["texts"][kind]["bytes_per_token"] < large["texts"][kind]["bytes_per_token"]
    assert small["texts"][kind]["page_price"] > large["texts"][kind]["page_price"] > 0
    assert large["entries"]["unreachable"] == 0
    assert large["speeds"][0]["encoder"] == "tokenizers"


@pytest.mark.parametrize(("language", "title"), [("ko", "어절당 토큰"), ("en", "Tokens per eojeol")])
def test_audit_as_a_page(
    folders: list[Path], text: Path, tmp_path: Path, language: str, title: str, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "report.html"
    command = ["--lang", language, "tokenizer", "audit", *map(str, folders), "--text", str(text), "--html", str(page)]
    assert main(command) == 0
    assert title in capsys.readouterr().out
    written = page.read_text(encoding="utf-8")
    assert f'<html lang="{language}">' in written
    assert title in written
    assert "<script" not in written
    assert "lar<ge" not in written
    assert "home<i>" not in written
    assert "lar&lt;ge" in written
    assert 'class="t0"' in written


def test_audit_of_built_in_text(folders: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang", "en", "tokenizer", "audit", str(folders[0] / "tokenizer.json")]) == 0
    assert "curriculum" in capsys.readouterr().out


def test_audit_says_what_is_wrong(folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang", "en", "tokenizer", "audit", str(tmp_path)]) == 2
    assert "tokenizer.json is not there" in capsys.readouterr().err
    assert main(["--lang", "en", "tokenizer", "audit", str(folders[0]), str(folders[0])]) == 2
    assert "two tokenizers are named small" in capsys.readouterr().err
    empty = tmp_path / "empty.txt"
    empty.write_text(" \n", encoding="utf-8")
    assert main(["--lang", "en", "tokenizer", "audit", str(folders[0]), "--text", str(empty)]) == 2
    assert "empty: there is no text to measure" in capsys.readouterr().err


def test_graft_of_a_tokenizer_alone(folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    command = ["--lang", "en", "tokenizer", "graft", str(folders[0]), str(folders[1]), str(out), "--size", "10"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    (added,) = map(int, re.findall(r"(\d+) tokens added, from id 300", printed))
    assert 5 <= added <= 10  # a token whose steps do not fit is left out
    assert "2 of 2 texts unchanged" in printed
    assert (out / "tokenizer.json").exists()
    assert main([*command[:5], str(folders[0]), str(out), "--size", "20"]) == 2


def test_size_by_the_law(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang", "ko", "tokenizer", "size", "k1", "nano", "--json"]) == 0
    k1, nano = json.loads(capsys.readouterr().out)
    assert (k1["name"], k1["vocab_size"], nano["vocab_size"]) == ("k1", 163840, 8192)
    assert 100_000 < min(k1["active"]) < k1["vocab_size"] < min(k1["stored"])
    assert min(nano["active"]) < 3_000 < min(nano["stored"]) < nano["vocab_size"]
    assert main(["--lang", "ko", "tokenizer", "size", "mini"]) == 0
    assert "32,768" in capsys.readouterr().out
