"""What is to be written: topics drawn evenly, passages cut whole, seeds and exercises chosen by hash and seed."""

import itertools
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axk1.config import ConfigError
from axk1.corpus.documents import Document
from axk1.corpus.source import Source
from axk1.corpus.synthesis.items import items_of, passages_of
from axk1.corpus.synthesis.prompts import BUILT_IN, read_template
from axk1.corpus.synthesis.settings import Model, Passages, SynthesisConfig, Task
from axk1.corpus.synthesis.topics import TopicTree, drawn_topics, read_topics
from pipeline_folders import write_jsonl

MODEL = Model("m", "free", "http://localhost/v1")


def config(*tasks, **more):
    return SynthesisConfig(MODEL, tasks, license="CC0-1.0", **more)


def keys(config):
    return [item.key for item in items_of(config, Path(), lambda *_: None)]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 9), st.integers(0, 300), st.integers(0, 300))
def test_a_longer_draw_begins_like_a_shorter_one(seed, first, second):
    tree = read_topics("", Path())
    short, long = (
        [topic.key for topic in itertools.islice(drawn_topics(tree, seed), count)] for count in sorted((first, second))
    )
    assert long[: len(short)] == short


def test_every_topic_comes_equally_often_and_no_combination_twice():
    tree = read_topics("", Path())
    topics = list(tree.topics())
    drawn = list(itertools.islice(drawn_topics(tree, 1), 3 * len(topics)))
    assert set(Counter((one.field, one.topic) for one in drawn).values()) == {3}
    assert len({one.key for one in drawn}) == len(drawn)
    for name, known in (("audience", tree.audiences), ("form", tree.forms), ("register", tree.registers)):
        counts = Counter(getattr(one, name) for one in drawn)
        assert set(counts) == set(known)
        assert max(counts.values()) < 2 * len(drawn) / len(known)


def test_all_combinations_are_drawn_in_the_end():
    tree = TopicTree(("가", "나"), ("글",), ("plain", "haeyo"), {"수": {"셈": ["하나", "둘"]}, "말 글": ["셋"]})
    assert list(tree.topics()) == [("수 > 셈", "하나"), ("수 > 셈", "둘"), ("말 글", "셋")]
    assert len({one.key for one in drawn_topics(tree, 0)}) == 3 * 4


def test_a_register_that_is_none_is_named():
    with pytest.raises(ValueError, match="unknown register 'formal'"):
        TopicTree(("가",), ("글",), ("formal",), {"수": ["하나"]})


@settings(deadline=None)
@given(st.text(alphabet="가나다. \n", max_size=400), st.integers(1, 30), st.integers(0, 60))
def test_passages_are_within_bounds_and_in_the_order_of_the_text(text, least, more):
    bounds = Passages(least, least + more)
    found = list(passages_of(Document(text, "a:1", "a"), bounds))
    assert all(least <= len(one.text) <= least + more for one in found)
    joined = "".join("".join(one.text for one in found).split())
    letters = iter("".join(text.split()))
    assert all(letter in letters for letter in joined), "nothing is added, nothing moves"
    assert len({one.id for one in found}) == len(found)


def test_paragraphs_stay_whole_where_they_fit():
    text = "가나다라 마바사.\n\n아자차카 타파하.\n하나 둘 셋 넷."
    assert [one.text for one in passages_of(Document(text, "a", "a"), Passages(1, 20))] == [
        "가나다라 마바사.\n아자차카 타파하.",
        "하나 둘 셋 넷.",
    ]


def test_seeds_are_a_sample_that_grows(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", [f"{n}번 글은 이렇게 시작하고 여기에서 끝난다." for n in range(50)])
    sources = (Source(str(tmp_path / "a.jsonl")),)

    def chosen(count, seed=0):
        task = Task("t", "summary", "seed", count=count)
        return keys(config(task, sources=sources, passages=Passages(5, 100), seed=seed))

    assert len(chosen(None)) == 50
    assert [key for key in chosen(20) if key in set(chosen(8))] == chosen(8)
    assert len(chosen(8)) == 8
    assert chosen(8, seed=1) != chosen(8)


def test_exercises_are_of_the_training_side_and_of_the_families_named():
    task = Task("t", "solve", "exercise", "solution", count=20, families=("sum2", "word1"))
    items = list(items_of(config(task), Path(), lambda *_: None))
    assert {item.exercise.family for item in items} == {"sum2", "word1"}
    assert keys(config(task)) == [item.key for item in items]


def test_families_that_call_tools_are_no_questions():
    task = Task("t", "solve", "exercise", "solution", count=3, families=("tools",))
    with pytest.raises(ConfigError, match="the family tools asks for tool calls"):
        keys(config(task))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"per": "topic"}, "say how many"),
        ({"per": "exercise", "count": 1, "families": ("sum2",)}, 'form = "solution" go together'),
        ({"per": "exercise", "form": "solution", "count": 1}, "families and per"),
        ({"per": "seed", "with_seed": True}, "with_seed and round_trip are for"),
        ({"per": "seed", "attempts": 0}, "attempts and count must be above 0"),
    ],
)
def test_tasks_that_cannot_be_meant(settings, message):
    with pytest.raises(ValueError, match=message):
        Task("t", "summary", **settings)


def test_recipes_that_cannot_be_meant():
    seeded, topical = Task("s", "summary", "seed"), Task("t", "topic", "topic", count=1)
    for message, tasks, more in (
        ("need sources", (seeded,), {}),
        ("need a license", (topical,), {}),
        ("a name of its own", (topical, topical), {"license": "CC0-1.0"}),
    ):
        with pytest.raises(ValueError, match=message):
            SynthesisConfig(MODEL, tasks, **more)
    with pytest.raises(ValueError, match="output_terms must say"):
        Model("m", " ")


def test_a_template_of_ones_own_and_what_may_be_wrong_with_it(tmp_path):
    (tmp_path / "mine.jinja").write_text("{{ topic | josa('을/를') }} 설명해 주세요.\n", encoding="utf-8")
    assert read_template("mine.jinja", tmp_path).render({"topic": "관성"}) == "관성을 설명해 주세요."
    with pytest.raises(ConfigError, match=r"'topic' is undefined \(there are: text\)"):
        read_template("mine.jinja", tmp_path).render({"text": ""})
    with pytest.raises(ConfigError, match=r"no template 'theirs' \(built in: .*, topic;"):
        read_template("theirs", tmp_path)
    (tmp_path / "bad.jinja").write_text("하나\n{{ topic", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"bad\.jinja:2"):
        read_template("bad.jinja", tmp_path)
    (tmp_path / "sly.jinja").write_text("{{ ''.__class__.__mro__ }}", encoding="utf-8")
    with pytest.raises(ConfigError, match="unsafe"):
        read_template("sly.jinja", tmp_path).render({})


@pytest.mark.parametrize("name", BUILT_IN)
def test_our_own_templates_can_be_rendered(name):
    variables = dict.fromkeys(("text", "seed", "question", "topic", "field", "audience", "form", "style"), "이것")
    assert "이것" in read_template(name, Path()).render(variables)
