import pytest

from axk1.config import ConfigError
from axk1.corpus.documents import Document
from axk1.corpus.quality.language import languages, line_languages
from axk1.corpus.quality.language_step import LanguageConfig, LanguageStep
from axk1.corpus.steps import make_step

LINES = {
    "이 함수는 `TensorFlow` API를 호출합니다.": "ko",
    "The function returns the number of rows in a table.": "en",
    "    for key, value in table.items():": "code",
    "self._file = open(path, 'rb')": "code",
    "이것은 中國의 문화이다.": "ko",
    "这个命令用于显示文件的内容。": "zh",
    "このコマンドはファイルを表示する。": "ja",
    "Эта команда показывает файл.": "other",
    "12,345 | 67.8 %": "none",
    "": "none",
}


def test_korean_around_long_names_is_korean():
    names = "Contoso.Example.Runtime.Application.PipelineComponentCollection, Contoso.Example.Runtime.Package"
    line = f"이 클래스를 쓰려면 {names} 및 {names} 도 있어야 한다"
    assert line_languages(line) == ["ko"]
    assert line_languages("Der schnelle braune Fuchs springt über den faulen Hund 이 Park") == ["other"]


def test_each_line_has_its_language():
    assert dict(zip(LINES, line_languages("\n".join(LINES)), strict=True)) == LINES


def test_letters_are_counted_by_the_language_of_their_line():
    assert languages(["가나다 ab\n这是不行的\n123", "", "ab\n"]) == [{"ko": 5, "zh": 5}, {}, {"en": 2}]


def _run(text, **options):
    rejected = []
    step = LanguageStep(LanguageConfig(**options))
    kept = list(step(iter([Document(text, "1", "")]), lambda document, reason: rejected.append(reason)))
    return kept, rejected


def test_a_document_in_another_language_goes():
    assert _run("这个命令用于显示文件的内容。") == ([], ["mostly in another language (zh)"])
    assert _run("The cat is on the mat and it is happy.", keep=("ko",))[1] == ["mostly in another language (en)"]


def test_the_korean_half_of_a_pair_saves_it():
    english = "File mode: file type and file mode bits, permissions, owner, group."
    assert _run(english)[1] == ["mostly in another language (other)"]
    (kept,), _ = _run(f"{english}\n파일 모드: 파일 유형과 파일 모드 비트, 권한, 소유자, 그룹.")
    assert kept.metadata["korean_share"] == 0.297


def test_lines_in_another_language_go():
    (kept,), _ = _run("한국어 문장이다.\n\n这个命令用于显示文件的内容。\n또 한국어다.", lines="drop")
    assert kept.text == "한국어 문장이다.\n\n또 한국어다."
    assert dict(kept.metadata) == {"language": "ko", "korean_share": 1.0}


def test_rules_between_lines_in_another_language_do_not_save_a_document():
    text = "The cat is on the mat.\n\n-----\n12\nIt is the end of the line."
    assert _run(text, keep=("ko",), lines="drop") == ([], ["mostly in another language (en)"])


@pytest.mark.parametrize("options", [{"keep": ["klingon"]}, {"least_share": 2.0}, {"lines": "maybe"}])
def test_wrong_options_are_errors(options):
    with pytest.raises((ConfigError, ValueError)):
        make_step({"name": "language", **options})
