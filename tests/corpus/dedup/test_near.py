import random

import pytest

from axk1.config import ConfigError
from axk1.corpus.dedup.near import NearDedup, NearDedupSettings
from axk1.corpus.documents import Document
from axk1.corpus.steps import make_step
from korean_copies import COPIES, judgement, statute, story

FOUND = {"particles": 0.85, "spacing": 1.0, "typos": 1.0, "reordered": 1.0, "framed": 1.0, "spacing+typos+frame": 0.95}


def through(step, texts: list[str], source: str = "s") -> tuple[list[Document], list[tuple[Document, str]]]:
    rejected: list[tuple[Document, str]] = []
    documents = (Document(text, str(n), source) for n, text in enumerate(texts))
    return list(step(documents, lambda document, reason: rejected.append((document, reason)))), rejected


@pytest.mark.parametrize("kind", COPIES)
def test_copies_are_found_and_name_what_they_copy(kind):
    rng = random.Random(kind)
    originals = [story(rng) for _ in range(60)]
    step = NearDedup()
    assert len(through(step, originals, "first")[0]) == 60
    _, rejected = through(step, [COPIES[kind](text, rng) for text in originals], "second")
    assert len(rejected) >= 60 * FOUND[kind]
    for document, reason in rejected:
        assert reason == "nearly a copy"
        assert document.metadata["copy_of"] == f"first/{document.id}"
        assert 0.8 <= document.metadata["similarity"] <= 1


@pytest.mark.parametrize("make", [story, statute, judgement])
def test_texts_of_one_form_with_contents_of_their_own_stay(make):
    rng = random.Random(1)
    assert not through(NearDedup(), [make(rng) for _ in range(150)])[1]


def test_a_chain_of_changes_does_not_drop_its_far_end():
    rng = random.Random(2)
    lines = [story(rng, 1) for _ in range(60)]
    chain = ["\n".join(lines[start : start + 40]) for start in range(0, 20, 2)]
    kept, rejected = through(NearDedup(), chain)
    assert 1 < len(kept) < len(chain)
    assert kept[0].text == chain[0]
    assert all(document.metadata["copy_of"] in {f"s/{one.id}" for one in kept} for document, _ in rejected)


@pytest.mark.parametrize(
    ("first", "second", "is_copy"),
    [
        ("재미있어요.", "재미 있어요!!", True),
        ("재미있어요.", "재미없어요.", False),
        ("Hello, World", "hello world", True),
        ("글 1", "글 2", False),
        ("😀", "😀😀", False),  # no letters: nothing to compare by
    ],
)
def test_short_texts_are_copies_when_their_letters_are_equal(first, second, is_copy):
    assert bool(through(NearDedup(), [first, second])[1]) == is_copy


def test_paragraphs_of_earlier_documents_are_cut_out():
    rng = random.Random(3)
    notice = (
        "이 누리집의 모든 글은 저작권법의 보호를 받으며, 허락을 얻지 않고 옮겨 싣거나 나누어 줄 수 없습니다. "
        "문의할 것이 있으면 평일 아침 아홉 시부터 저녁 여섯 시까지 고객 상담실로 전화해 주시기 바랍니다."
    )
    other = notice.replace("옮겨 싣거나", "옮겨싣거나").replace("전화해", "연락해")
    bodies = [story(rng, 4) for _ in range(3)]
    texts = [f"{bodies[0]}\n\n{notice}", f"{bodies[1]}\n\n\n{other}\n\n짧은 끝말", notice, f"{notice}\n\n짧은 끝말"]
    kept, rejected = through(NearDedup(NearDedupSettings(unit="paragraph")), texts)
    assert [one.text for one in kept] == [texts[0], f"{bodies[1]}\n\n짧은 끝말", "짧은 끝말"]
    assert [one.metadata.get("copied_paragraphs") for one in kept] == [None, 1, 1]
    assert [(one.text, reason) for one, reason in rejected] == [(notice, "nothing but copied paragraphs")]


def test_paragraphs_that_repeat_within_one_document_stay():
    refrain = (
        "산에는 꽃 피네 꽃이 피네 갈 봄 여름 없이 꽃이 피네 산에 산에 피는 꽃은 저만치 혼자서 피어 있네 산에서 우는"
    )
    text = "\n\n".join([refrain, "사이", refrain])
    kept, _ = through(NearDedup(NearDedupSettings(unit="paragraph")), [text])
    assert [one.text for one in kept] == [text]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0.0}, "threshold must be above 0"),
        ({"threshold": 1.5}, "threshold must be above 0"),
        ({"shingle": 0}, "shingle must be at least 1"),
        ({"unit": "sentence"}, "wants one of 'document', 'paragraph'"),
    ],
)
def test_a_wrong_setting_is_named(options, message):
    with pytest.raises(ConfigError, match=message):
        make_step({"name": "near_dedup", **options})
