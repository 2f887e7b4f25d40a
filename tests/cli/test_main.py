import errno
import subprocess
import sys
from importlib import import_module

import pytest

from axk1 import cli
from axk1.cli import VERBS, Verb, main
from axk1.cli.words import Words, describe, language_of


def failing(error: BaseException) -> None:
    raise error


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Lets a test put its own function behind the verb `try`."""
    monkeypatch.setattr(cli, "VERBS", {"try": Verb("tests:run", "시험", "test")})
    return monkeypatch


def put(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    module = type("M", (), {"run": staticmethod(lambda argv, say: failing(error))})
    monkeypatch.setattr(cli, "import_module", lambda name: module)


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_help_in_both_languages(name: str, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    with pytest.raises(SystemExit) as end:
        main([name, "--help", "--lang", language])
    assert end.value.code == 0
    assert f"axk1 {name}" in capsys.readouterr().out


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    english = capsys.readouterr().out
    assert main(["--help", "--lang", "ko"]) == 0
    korean = capsys.readouterr().out
    for name, verb in VERBS.items():
        assert f"  {name} " in english
        assert verb.english in english
        assert verb.korean in korean


def test_every_target_is_a_function() -> None:
    pytest.importorskip("torch")
    for verb in VERBS.values():
        module, function = verb.target.split(":")
        assert callable(getattr(import_module(module), function))


@pytest.mark.parametrize(
    "argv",
    [
        ["--help"],
        ["arch", "k1", "--json"],
        ["--version"],
        ["tokenizer", "--help"],
        ["corpus", "--help"],
        ["generate", "--help"],
        ["chat", "--help"],
        ["quantize", "--help"],
    ],
)
def test_these_need_no_torch(argv: list[str]) -> None:
    code = (
        "import sys; from axk1.cli import main\n"
        f"try: main({argv})\nexcept SystemExit: pass\nassert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_unknown_verb_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evl"]) == 2
    assert "Did you mean eval?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "english", "korean"),
    [
        (ValueError("steps must\nnot be"), "error: steps must not be", "오류: steps must not be"),
        (FileNotFoundError(errno.ENOENT, "No such file", "a.txt"), "a.txt: No such file", "a.txt: 그런 파일"),
        (OSError(errno.ENOSPC, "the disk is full: x was not written"), "the disk is full", "the disk is full"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(
    verb: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, english: str, korean: str
) -> None:
    put(verb, error)
    for language, expected in (("en", english), ("ko", korean)):
        assert main(["try", "--lang", language]) == 2
        shown = capsys.readouterr().err
        assert expected in shown
        assert shown.count("\n") == 1


def test_debug_shows_where_an_error_comes_from(verb: pytest.MonkeyPatch) -> None:
    put(verb, ValueError("boom"))
    with pytest.raises(ValueError, match="boom"):
        main(["try", "--debug"])


def test_our_own_bugs_are_never_hidden(verb: pytest.MonkeyPatch) -> None:
    put(verb, KeyError("boom"))
    with pytest.raises(KeyError):
        main(["try"])


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(
    verb: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt = KeyboardInterrupt()
    interrupt.add_note("go on with: axk1 run recipes/nano")
    put(verb, interrupt)
    assert main(["try"]) == 130
    assert "go on with: axk1 run recipes/nano" in capsys.readouterr().err


def test_a_reader_that_leaves_is_no_error() -> None:
    done = subprocess.run(f"{sys.executable} -m axk1 arch k1 --json | true", shell=True, capture_output=True, text=True)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("environment", "language"),
    [({}, "en"), ({"LANG": "ko_KR.UTF-8"}, "ko"), ({"LANG": "ko", "LC_ALL": "en_US"}, "en"), ({"LANG": "de_DE"}, "en"),
     ({"LC_ALL": "", "LANG": "ko_KR"}, "ko")],
)  # fmt: skip
def test_the_language_follows_the_environment(environment: dict[str, str], language: str) -> None:
    assert language_of(environment) == language


def test_an_error_without_a_message_still_says_something() -> None:
    assert describe(ValueError(), Words("en")) == "ValueError"


def test_a_missing_extra_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def missing(_name: str) -> None:
        raise ModuleNotFoundError("No module named 'license_expression'", name="license_expression")

    monkeypatch.setattr("axk1.cli.import_module", missing)
    assert main(["data", "check", "."]) == 2
    assert capsys.readouterr().err == (
        "axk1: error: the package license_expression is missing: pip install 'axk1[corpus]'\n"
    )
