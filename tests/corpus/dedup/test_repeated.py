import random

import numpy as np
import pydivsufsort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axk1.corpus.dedup.passages import merged, shrunk, shrunk_to_sentences, without
from axk1.corpus.dedup.repeated import RepeatedText, RepeatedTextSettings
from axk1.corpus.dedup.shingles import letters
from axk1.corpus.documents import Document
from korean_copies import story

POOL = st.text(st.sampled_from("가나다라 .\n😀"), min_size=1, max_size=12)
SHRUNK = {"word": shrunk, "sentence": shrunk_to_sentences}


def through(options: RepeatedTextSettings, texts: list[str]) -> tuple[list[Document], list[str]]:
    rejected: list[str] = []
    documents = (Document(text, str(n), "s") for n, text in enumerate(texts))
    kept = list(RepeatedText(options)(documents, lambda document, _reason: rejected.append(document.id)))
    return kept, rejected


def longest_earlier(held: list[np.ndarray], codes: np.ndarray) -> np.ndarray:
    """For every letter, how many letters from it on stand in the held texts: by a suffix array over all of them."""
    border = [np.array([0x110000 + number], np.int64) for number in range(len(held) + 1)]
    before = [part for pair in zip(held, border, strict=False) for part in pair]
    joined = np.concatenate([*before, border[-1], codes.astype(np.int64)])
    begin = len(joined) - len(codes)
    _, ranks = np.unique(joined, return_inverse=True)
    assert ranks.max() < 256
    ranks = ranks.astype(np.uint8)
    order = pydivsufsort.divsufsort(ranks)
    common = pydivsufsort.kasai(ranks, order)
    longest = np.zeros(len(joined), np.int64)
    for direction in (1, -1):
        run = 0
        sequence = range(len(order)) if direction == 1 else range(len(order) - 1, -1, -1)
        for place in sequence:
            if direction == -1:
                run = min(run, int(common[place]))
            if order[place] >= begin:
                longest[order[place]] = max(longest[order[place]], run)
            else:
                run = len(joined)
            if direction == 1:
                run = min(run, int(common[place]))
    return longest[begin:]


def by_suffix_array(texts: list[str], least: int, boundary: str) -> list[str]:
    kept, held = [], []
    for text in texts:
        spelled = letters(text)
        longest = longest_earlier(held, spelled.codes) if held and len(spelled.codes) else np.zeros(0, int)
        stretches = merged((place, place + int(longest[place])) for place in np.flatnonzero(longest >= least))
        places = spelled.places
        spans = [SHRUNK[boundary](text, int(places[a]), int(places[b - 1]) + 1) for a, b in stretches]
        spans = [span for span in spans if span[0] < span[1]]
        rest = without(text, spans)
        if not spans or rest:
            kept.append(rest)
            held.append(letters(rest).codes.astype(np.int64))
    return kept


@settings(deadline=None)
@given(st.lists(POOL, min_size=2, max_size=6), st.integers(0, 2**32), st.sampled_from([8, 9, 13]))
@pytest.mark.parametrize("boundary", SHRUNK)
def test_what_is_cut_is_what_a_suffix_array_finds(boundary, pool, seed, least):
    rng = random.Random(seed)
    texts = ["".join(rng.choice(pool) for _ in range(rng.randint(1, 8))) for _ in range(8)]
    kept, _ = through(RepeatedTextSettings(least, boundary), texts)
    assert [one.text for one in kept] == by_suffix_array(texts, least, boundary)


def test_the_first_occurrence_stays_and_whole_sentences_go():
    rng = random.Random(0)
    first, second, third = (story(rng, 3) for _ in range(3))
    shared = "위원회는 재적위원 과반수의 출석으로 개의하고 출석위원 과반수의 찬성으로 의결하며 이를 알려야 한다."
    texts = [f"{first} {shared}\n{second}", f"{third}\n그래서 {shared} 끝.\n\n{shared}\n\n{first}"]
    kept, _ = through(RepeatedTextSettings(40), texts)
    assert kept[0].text == texts[0]
    assert kept[1].text.startswith(third)
    assert "그래서 위원회는" in kept[1].text, "a part of a sentence does not go"
    assert kept[1].text.endswith("끝.")
    assert kept[1].metadata["repeated_characters"] == len(texts[1]) - len(kept[1].text)


def test_whole_words_go_when_asked():
    shared = "".join(f"{word} " for word in ["하나둘", "셋넷", "다섯여섯", "일곱", "여덟아홉", "열하나", "열둘열셋"])
    kept, _ = through(RepeatedTextSettings(10, "word"), [f"앞말 {shared}뒷말", f"다른앞말 {shared}다른뒷말"])
    assert [one.text for one in kept] == [f"앞말 {shared}뒷말", "다른앞말 다른뒷말"]


def test_a_document_of_nothing_new_is_dropped_and_refrains_stay():
    rng = random.Random(1)
    song = "\n".join([story(rng, 4)] * 3)
    kept, rejected = through(RepeatedTextSettings(), [song, song[10:]])
    assert kept[0].text == song
    assert rejected == ["1"] or len(kept[1].text) < len(song) / 3
    kept, rejected = through(RepeatedTextSettings(), [song, song])
    assert (len(kept), rejected) == (1, ["1"])


def test_a_too_short_minimum_is_an_error():
    with pytest.raises(ValueError, match="min_letters must be at least 8, found 7"):
        RepeatedTextSettings(7)


def test_sources_that_are_left_keep_their_text_and_cost_others_none():
    text = "이 문장은 문서에도 있고 번역한 짝에도 있어서, 그냥 두면 짝의 반이 잘려 나간다. " * 2
    pair = Document(f"{text}\nThis is its other half.", "1", "pairs")
    documents = [pair, Document(text, "2", "s"), Document(text + "덧붙임.", "3", "s"), pair]
    step = RepeatedText(RepeatedTextSettings(min_letters=20, leave=("pairs",)))
    kept = list(step(iter(documents), lambda *_: None))
    assert [document.text for document in kept] == [pair.text, text, "덧붙임.", pair.text]
