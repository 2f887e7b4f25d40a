from pathlib import Path

import pytest

from axk1 import native
from axk1.cli.notices import build_notices
from axk1.cli.words import Words


@pytest.mark.parametrize(("language", "word"), [("ko", "빌드합니다"), ("en", "only this once")])
def test_a_first_build_is_said_once_on_standard_error(
    language: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        command = [native.compiler("CC", "gcc", "cc"), "-shared", "-fPIC"]
    except native.NativeUnavailableError as reason:
        pytest.skip(str(reason))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    files = {"one.c": b"int one(void) { return 1; }\n"}
    for expected in (1, 0):
        with build_notices(Words("ko" if language == "ko" else "en")):
            library = native.build("one", files, command, ["one.c"])
        shown = capsys.readouterr()
        assert library.exists()
        assert shown.out == ""
        assert shown.err.count(word) == shown.err.count("\n") == expected


def test_outside_of_it_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with build_notices(Words("en")):
        pass
    with pytest.raises(native.NativeUnavailableError, match="could not build"):
        native.build("none", {"none.c": b""}, ["false"], ["none.c"])
    assert capsys.readouterr().err == ""
