import pytest

from axk1.corpus.documents import Document
from axk1.corpus.mix import cap_of, capped, mixed, utf8_length
from axk1.corpus.source import Source

DOCUMENTS = [Document("가" * (n % 7) + f" {n}", str(n), "s") for n in range(3000)]
TOTAL = sum(len(one.text.encode()) for one in DOCUMENTS)


def _capped(documents, cap, seed=0):
    return list(capped(iter(documents), iter(documents), cap, seed))


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_a_cap_is_nearly_filled_and_never_passed(share):
    taken = sum(len(one.text.encode()) for one in _capped(DOCUMENTS, int(TOTAL * share)))
    assert TOTAL * share - 100 <= taken <= TOTAL * share


def test_a_cap_over_everything_takes_everything():
    assert _capped(DOCUMENTS, TOTAL) == DOCUMENTS


def test_a_sample_keeps_the_order_and_does_not_depend_on_it():
    taken = _capped(DOCUMENTS, TOTAL // 2)
    assert taken == [one for one in DOCUMENTS if one in set(taken)]
    assert set(_capped(DOCUMENTS[::-1], TOTAL // 2)) == set(taken)
    assert set(_capped(DOCUMENTS, TOTAL // 4)) < set(taken)
    assert set(_capped(DOCUMENTS, TOTAL // 2, seed=1)) != set(taken)
    middle = sum(int(one.id) for one in taken) / len(taken)
    assert abs(middle - 1500) < 5 * 3000 / (12 * len(taken)) ** 0.5  # not the head of the file


def test_the_first_documents_may_be_asked_for(tmp_path):
    (tmp_path / "a.txt").write_text("\n".join(["12345"] * 10), encoding="utf-8")
    source = Source(str(tmp_path / "a.txt"), text_unit="line", max_bytes=17, take="first")
    assert [one.id for one in mixed(source, None, 0, lambda document, reason: None)] == [
        "a.txt:1",
        "a.txt:2",
        "a.txt:3",
    ]


def test_two_readings_reject_once(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\nbroken\n{"text": "b"}\n', encoding="utf-8")
    rejected = []
    source = Source(str(tmp_path / "a.jsonl"), bad_records="skip", max_bytes=100)
    assert len(list(mixed(source, None, 0, lambda document, reason: rejected.append(reason)))) == 2
    assert rejected == ["unreadable record"]


def test_caps_and_shares():
    assert cap_of(Source("a"), 100) is None
    assert cap_of(Source("a", max_bytes=7), None) == 7
    assert cap_of(Source("a", share=0.25), 100) == 25
    with pytest.raises(ValueError, match=r"source law: share needs the corpus' total_bytes"):
        cap_of(Source("law.txt", share=0.25), None)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"share": 0.1, "max_bytes": 5}, "exclude each other"),
        ({"share": 0.0}, "share must be above 0"),
        ({"share": 1.5}, "share must be above 0"),
        ({"max_bytes": 0}, "max_bytes must be above 0"),
        ({"repeat": 0}, "repeat must be at least 1"),
        ({"fields": ()}, "fields is empty"),
    ],
)
def test_impossible_sources_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Source("a.txt", **settings)


@pytest.mark.parametrize("text", ["", "abc", "가나", "é"])
def test_utf8_length(text):
    assert utf8_length(text) == len(text.encode())
