"""Reading, rewriting and classifying: answers against oracles of their own."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import replace

import pytest

from axk1.corpus.exercise import Attempt, Exercise
from axk1.corpus.families import classify, reading, rewrite
from axk1.corpus.families.classify import advertising, sentiment, speech_act, topic


def drawn(family, count: int = 2000) -> list[Exercise]:
    rng = random.Random(2)
    return [family.make(rng, ("train", "held_out")[index % 2]) for index in range(count)]


# Reading


def test_answers_stand_in_the_passage_once_or_more():
    for item in drawn(reading.FAMILY):
        passage, question = item.question.split("\n")
        counted = re.fullmatch(r"(.+ .+)", item.answer)
        assert item.answer in passage or (counted and all(part in passage for part in item.answer.split()))
        assert not re.search(rf"(^| ){item.answer}( |$|\W)", question)
        assert 1 <= passage.count(". ") + 1 <= 4


def forms(text: str) -> set[str]:
    """The words of a text with and without a particle; 사람 is in every question of who."""
    words = {word.strip(".?") for word in text.split()}
    return words | {re.sub(r"(에서|에|은|는|을|를|이|가)$", "", word) for word in words} - {"사람", ""}


def test_the_sentence_that_shares_most_words_with_the_question_answers_it():
    """An oracle by retrieval: what the question mentions is said of one event only, and the answer stands there."""
    rng = random.Random(8)
    for _ in range(2000):
        item = reading._about_events(rng, "train")
        passage, question = item.question.split("\n")
        sentences = [forms(sentence) for sentence in passage.rstrip(".").split(". ")]
        shared = [len(words & forms(question)) for words in sentences]
        (best,) = [words for words, count in zip(sentences, shared, strict=True) if count == max(shared)]
        assert set(item.answer.split()) <= best, item


def test_spans_of_the_same_passage_are_wrong():
    for item in drawn(reading.FAMILY, 500):
        words = {word.strip(".") for word in item.question.split("\n")[0].split()}
        for word in words - {item.answer}:
            assert not reading.FAMILY.grade(item, Attempt(word)) or word.startswith(item.answer)
        assert reading.FAMILY.grade(item, Attempt(f" {item.answer}."))
        assert reading.FAMILY.grade(item, Attempt(f"{item.answer}입니다."))
        assert not reading.FAMILY.grade(item, Attempt(f"{item.answer} 아니에요."))
        assert not reading.FAMILY.grade(item, Attempt(f"{item.answer}, {item.answer}"))


# Rewriting: pairs written by hand, each a rule of the family.

PAIRS = (
    ("존댓말", "나는 밥을 먹었어.", "저는 밥을 먹었어요."),
    ("존댓말", "내 동생이 그림을 그려.", "제 동생이 그림을 그려요."),
    ("존댓말", "내일 내가 빵을 구울게.", "내일 제가 빵을 구울게요."),
    ("존댓말", "우리 영화를 볼까?", "우리 영화를 볼까요?"),
    ("존댓말", "지금 음악을 듣지 마.", "지금 음악을 듣지 마세요."),
    ("반말", "저도 곧 커피를 마실 거예요.", "나도 곧 커피를 마실 거야."),
    ("반말", "창문을 닦아 주세요.", "창문을 닦아 줘."),
    ("습니다", "저는 의자를 만들어요.", "저는 의자를 만듭니다."),
    ("습니다", "친구가 할머니를 도왔어요?", "친구가 할머니를 도왔습니까?"),
    ("부정", "지호는 노래를 불렀다.", "지호는 노래를 부르지 않았다."),
    ("미래", "지호는 음악을 들었다.", "지호는 음악을 들을 것이다."),
    ("한 문장", "지호는 책을 읽었다. 그리고 신문을 봤다.", "지호는 책을 읽고 신문을 봤다."),
    ("한 문장", "날씨가 추웠다. 그래서 지호는 빵을 구웠다.", "날씨가 추워서 지호는 빵을 구웠다."),
    ("한 문장", "지호는 책을 읽었다. 하지만 신문은 보지 않았다.", "지호는 책을 읽었지만 신문은 보지 않았다."),
)
SELF = {"나는": "저는", "내가": "제가", "나도": "저도", "내": "제"}
ENDINGS = (  # 반말 and 해요체, longest first
    ("지 마", "지 마세요"),
    (" 줘", " 주세요"),
    (" 거야", " 거예요"),
    ("게", "게요"),
    ("까", "까요"),
)


def polite(sentence: str) -> str:
    """해요체 of a sentence in 반말, word by word: an oracle that knows nothing of the family's tables."""
    bare, mark = sentence[:-1], sentence[-1]
    for casual, raised in ENDINGS:
        if bare.endswith(casual):
            bare = bare.removesuffix(casual) + raised
            break
    else:
        bare += "요"
    return " ".join(SELF.get(word, word) for word in bare.split(" ")) + mark


def negative(sentence: str, verb: str) -> str:
    return sentence.removesuffix(f"{verb}.") + "않았다."


@pytest.mark.parametrize(("kind", "source", "target"), [pair for pair in PAIRS if pair[0] == "존댓말"])
def test_oracle_of_politeness_agrees_with_what_was_written_by_hand(kind, source, target):
    assert polite(source) == target


def test_speech_levels_against_the_oracle():
    counts: Counter[str] = Counter()
    for item in drawn(rewrite.FAMILY, 4000):
        instruction, _, sentence = item.question.partition(": ")
        if "존댓말" in instruction:
            assert item.answer == polite(sentence)
            counts["polite"] += 1
        elif "반말" in instruction:
            assert polite(item.answer) == sentence
            counts["casual"] += 1
    assert min(counts["polite"], counts["casual"]) > 300


def test_forms_written_by_hand_come_out():
    """Sentences of the family with the verbs of PAIRS end as the hand-written ones do."""
    ends = {
        tuple(text.split(" ")[-1].rstrip(".?") for text in (source, target)) for kind, source, target in PAIRS[7:11]
    }
    found = set()
    for item in drawn(rewrite.FAMILY, 20_000):
        source = item.question.partition(": ")[2]
        found.add(tuple(text.split(" ")[-1].rstrip(".?") for text in (source, item.answer)))
    assert {("만들어요", "만듭니다"), ("도왔어요", "도왔습니까")} <= found
    assert ("불렀다", "않았다") in found
    assert ("들었다", "것이다") in found
    assert len(ends) == 4


def test_joined_sentences_lose_nothing():
    for item in drawn(rewrite.FAMILY, 4000):
        instruction, _, source = item.question.partition(": ")
        if "문장으로" not in instruction and "하나로" not in instruction:
            continue
        first, second = re.split(r"\. (?:그리고|그래서|하지만) ", source)
        assert item.answer.endswith(" " + second)
        assert item.answer.startswith(first.rsplit(" ", 1)[0])
        assert item.answer.count(".") == 1


def test_an_unchanged_or_half_changed_sentence_is_wrong():
    for item in drawn(rewrite.FAMILY, 1000):
        source = item.question.partition(": ")[2]
        assert not rewrite.FAMILY.grade(item, Attempt(source))
        assert not rewrite.FAMILY.grade(
            item, Attempt(item.answer.replace("요", "")) if "요" in item.answer else Attempt("요")
        )
        assert rewrite.FAMILY.grade(item, Attempt(item.answer.rstrip(".?") + " "))
        assert not rewrite.FAMILY.grade(item, Attempt(f"{item.answer} {item.answer}"))


# Classification

GOOD = {"맛있", "친절하", "깨끗하", "재미있", "편하", "빠르", "예쁘", "튼튼하", "훌륭하", "좋", "선명하", "꼼꼼하"}
BAD = {"불친절하", "더럽", "지루하", "불편하", "느리", "칙칙하", "허술하", "나쁘", "흐리", "시끄럽", "싱겁", "부실하"}


def test_sentiment_against_words_known_to_be_good_or_bad():
    rng = random.Random(0)
    checked = 0
    for _ in range(4000):
        found = sentiment.review(rng, "train")
        stem = re.search(r"(\S+)다(?:\(|$| →)", found.thought.split(", ")[-1])
        assert stem is not None
        known = "긍정" if stem[1] in GOOD else "부정" if stem[1] in BAD else ""
        if known:
            denied = " 않" in found.text
            assert (found.label == known) != denied, found
            checked += 1
    assert checked > 1500


def test_speech_acts_by_their_endings():
    rng = random.Random(0)
    for _ in range(3000):
        found = speech_act.speech_act(rng, "train")
        if found.label == "질문":
            assert found.text.endswith("?")
            assert not re.search(r"([을할갈볼]까요?|주시겠어요|줄래)\?$", found.text)
        elif found.label == "부탁":
            assert re.search(r"( 주세요| 줘|줄래|주시겠어요|마세요)[.?]$", found.text)
        elif found.label == "제안":
            assert re.search(r"(까요?\?|자\.|시다\.)$", found.text)
        else:
            assert found.text.endswith(".")
            assert not re.search(r"(주세요|줘|마세요|자|시다)\.$", found.text)


def test_labels_are_balanced_and_known():
    rng = random.Random(0)
    for draw, labels in (
        (sentiment.review, sentiment.LABELS),
        (speech_act.speech_act, speech_act.LABELS),
        (topic.message, topic.LABELS),
        (advertising.text_message, advertising.LABELS),
    ):
        for side in ("train", "held_out"):
            counts = Counter(draw(rng, side).label for _ in range(2000))
            assert set(counts) == set(labels)
            assert min(counts.values()) > 0.6 * 2000 / len(labels)


def test_other_labels_are_wrong():
    labels = {*sentiment.LABELS, *speech_act.LABELS, *topic.LABELS, *advertising.LABELS}
    for item in drawn(classify.FAMILY, 300):
        assert {label for label in labels if classify.FAMILY.grade(item, Attempt(label))} == {item.answer}
        assert classify.FAMILY.grade(replace(item), Attempt(f"{item.answer}입니다."))
