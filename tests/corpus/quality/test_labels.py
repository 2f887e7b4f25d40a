import pytest

from axk1.corpus.documents import Document
from axk1.corpus.quality.labels import Labels, LabelsConfig, labels_of
from axk1.corpus.quality.register import dialect_of, register_of


@pytest.mark.parametrize(
    ("sentence", "register"),
    [
        ("회의를 시작하겠습니다.", "hapsyo"),
        ("같이 갑시다!", "hapsyo"),
        ("어디 가세요?", "haeyo"),
        ("좋았어요 ㅋㅋ~", "haeyo"),
        ("그는 학교에 갔다.", "plain"),
        ("오늘 뭐 했어?", "banmal"),
        ("빨리 가자!!", "banmal"),
        ("날씨 알려줘", "banmal"),
        ("감독의 역작", "none"),
        ("넓은 바다", "none"),
        ("이 드라마", "none"),
        ("", "none"),
    ],
)
def test_register_by_the_last_word(sentence, register):
    assert register_of(sentence) == register


def test_a_document_has_the_register_of_most_of_its_sentences():
    labels = labels_of("제목\n오늘은 비가 왔어요. 우산을 챙기세요. 끝이다.")
    assert (labels["register"], labels["chat_share"], labels["hanja_share"]) == ("haeyo", 0.0, 0.0)


def test_other_labels():
    assert labels_of("할머니께서 오셨어요.")["honorific_share"] == 1.0
    assert labels_of("국가(國家)")["hanja_share"] == 0.5
    assert labels_of("대박ㅋㅋㅋ")["chat_share"] == 1.0


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ("니 지금 뭐하노? 억수로 춥데이.", "gyeongsang"),
        ("워메 그랬당께. 거시기 허벌나게 좋아부러.", "jeolla"),
        ("혼저옵서예. 마씸, 먹었수다. 하르방 어디 갔수과.", "jeju"),
        ("지금 뭐 하니? 많이 춥네.", ""),
    ],
)
def test_dialect_needs_two_markers(text, dialect):
    assert dialect_of(text) == dialect


def test_the_step_drops_nothing_and_looks_at_the_beginning_only():
    document = Document("갔다. " + "가요. " * 10, "1", "")
    (out,) = Labels(LabelsConfig(most_characters=4))(iter([document]), lambda *_: None)
    assert (out.text, out.metadata["register"]) == (document.text, "plain")
    with pytest.raises(ValueError, match="most_characters"):
        LabelsConfig(most_characters=-1)
