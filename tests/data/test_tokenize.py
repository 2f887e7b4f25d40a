import pytest

from axk1.corpus.documents import Document
from axk1.data import tokenize as module
from axk1.data.shards import TokenShards
from axk1.data.tokenize import tokenize
from axk1.tokenizer.tokenizer import Tokenizer
from axk1.tokenizer.train import train

TEXTS = [
    "안녕하세요. 반갑습니다.",
    "",
    "끝 <|endoftext|> 아님 <think>",
    "\u1100\u1161",
    "a\u2028b\n",
    *(f"{n} 번째 글" for n in range(60)),
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train(TEXTS, 400)


@pytest.mark.parametrize("batch", [1, 7, 4096])
def test_shards_hold_the_ids_of_each_document_and_its_bytes(batch, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BATCH_DOCUMENTS", batch)
    seen: list[tuple[int, int]] = []
    documents = (Document(text, str(n), "") for n, text in enumerate(TEXTS))
    summary = tokenize(documents, tokenizer, tmp_path / "s", lambda done, tokens: seen.append((done, tokens)))
    shards = TokenShards.open(tmp_path / "s")
    assert shards.summary == summary
    assert shards.vocab_size == tokenizer.vocab_size
    decoded = [tokenizer.decode(shards.document(i).tolist()) for i in range(len(shards))]
    assert decoded == [text.replace("\u1100\u1161", "가") for text in TEXTS]
    assert [shards.text_bytes(i) for i in range(len(shards))] == [len(text.encode()) for text in TEXTS]
    assert seen[-1] == (len(TEXTS), summary.tokens)
    assert len(seen) == -(-len(TEXTS) // batch)


def test_a_special_token_in_a_document_is_plain_text(tokenizer, tmp_path):
    tokenize(iter([Document(TEXTS[2], "", "")]), tokenizer, tmp_path / "s")
    assert TokenShards.open(tmp_path / "s").document(0).min() >= 16


def test_an_error_while_reading_leaves_nothing(tokenizer, tmp_path):
    def documents():
        yield Document("글", "", "")
        raise ValueError("line 2 is broken")

    with pytest.raises(ValueError, match="line 2 is broken"):
        tokenize(documents(), tokenizer, tmp_path / "s")
    assert list(tmp_path.iterdir()) == []
