import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axk1.corpus.curriculum import exercises
from axk1.corpus.exercise import Call, Exercise, ToolSpec
from axk1.corpus.exercise_file import from_mapping, read_exercises, to_mapping, write_exercises
from axk1.corpus.streams import CorpusError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT, lambda inner: st.dictionaries(TEXT, inner), max_leaves=4
)
EXERCISES = st.builds(
    Exercise,
    *(TEXT, st.sampled_from(["ko", "en"]), TEXT, TEXT, TEXT),
    call=st.none() | st.builds(Call, TEXT, st.dictionaries(TEXT, JSON)),
    tools=st.lists(st.builds(ToolSpec, TEXT, TEXT, st.dictionaries(TEXT, JSON)), max_size=2).map(tuple),
    system=TEXT,
    keys=st.lists(TEXT, max_size=2).map(tuple),
)


@given(EXERCISES)
def test_an_exercise_survives_json(exercise):
    assert from_mapping(json.loads(json.dumps(to_mapping(exercise)))) == exercise


@pytest.mark.parametrize("side", ["train", "held_out"])
def test_the_curriculum_survives_the_file(side, tmp_path):
    made = list(itertools.islice(exercises(5, side), 300))
    assert write_exercises(made, tmp_path / "e.jsonl.zst") == 300
    assert list(read_exercises(tmp_path / "e.jsonl.zst")) == made


GOOD = {"family": "f", "language": "ko", "question": "q", "reasoning": "r", "answer": "a"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"e\.jsonl:2: no exercise"),
        ("[]", r"e\.jsonl:2: no exercise: needs family"),
        (json.dumps({**GOOD, "hint": "x"}), r"e\.jsonl:2: .*unknown key 'hint' \(known: answer, call"),
        (json.dumps({**GOOD, "answer": 3}), r"e\.jsonl:2: .*'answer' is no text"),
        (json.dumps({name: GOOD[name] for name in GOOD if name != "answer"}), r"e\.jsonl:2: .*'answer' is missing"),
        (json.dumps({**GOOD, "call": {"name": "x"}}), r"e\.jsonl:2: .*a call is name and arguments"),
    ],
)
def test_a_bad_line_is_named(line, message, tmp_path):
    (tmp_path / "e.jsonl").write_text(json.dumps(GOOD) + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=message):
        list(read_exercises(tmp_path / "e.jsonl"))
