import pytest

from axk1.corpus.privacy.finding import settle


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_presidio_speaks_our_kinds():
    pytest.importorskip("presidio_analyzer")
    from axk1.corpus.privacy.presidio import Presidio

    text = "주민 900101-1234568, 카드 4539148803436467"
    assert [(one.kind, text[one.start : one.end]) for one in settle(Presidio()(text))] == [
        ("rrn", "900101-1234568"),
        ("card", "4539148803436467"),
    ]
