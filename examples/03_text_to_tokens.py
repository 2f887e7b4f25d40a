"""The tour, first half: text, document, NFC, token ids, shards, conversation. docs/tour.md explains the output.

Run: python examples/03_text_to_tokens.py [FOLDER]
"""

import sys
import unicodedata
from pathlib import Path

from axk1.chat.template import render
from axk1.corpus.build import CorpusConfig, build
from axk1.corpus.documents import read_documents
from axk1.corpus.exercise import Exercise
from axk1.corpus.source import Source
from axk1.data.conversation import messages_of, write_conversations
from axk1.data.shards import TokenShards
from axk1.data.tokenize import tokenize
from axk1.tokenizer.train import train

TEXT = ("거실 온도를 24도로 맞춰 줘.", "거실 온도를 24도로 맞췄어요.", "안방 불을 켜 줘.", "안방 불을 켰어요.")
LESSON = Exercise("tour", "ko", question=TEXT[0], reasoning="거실, 24도", answer=TEXT[1])

work = Path(*sys.argv[1:] or ["runs/tour"])
work.mkdir(parents=True, exist_ok=True)
print("# text on disk, as some systems write Hangul: decomposed (NFD)")
file = work / "home.txt"
file.write_text(unicodedata.normalize("NFD", "\n".join(TEXT)), encoding="utf-8")
print(file.read_bytes()[:15].hex(" "))

print("# document, composed (NFC)")
build(CorpusConfig(sources=(Source(str(file), text_unit="line"),), validation_fraction=0), work / "corpus")
documents = list(read_documents(work / "corpus" / "train.jsonl.zst"))
print(documents[0])
print(documents[0].text.encode()[:6].hex(" "))

print("# token ids")
tokenizer = train((document.text for document in documents), vocab_size=320)
tokenizer.save(work / "tokenizer")
ids = tokenizer.encode(TEXT[0])
print(*(f"{id_}={tokenizer.bytes_of(id_).decode('utf-8', 'backslashreplace')!r}" for id_ in ids))

print("# shard: two little-endian bytes an id")
tokenize(documents, tokenizer, work / "stream")
print((work / "stream" / "tokens.bin").read_bytes()[: 2 * len(ids)].hex(" "))

print("# conversation, and what of it the loss is on")
write_conversations([LESSON], tokenizer, work / "sft", thinking_share=1.0)
shards = TokenShards.open(work / "sft")
row, mask = shards.document(0), shards.loss_mask(0)
print("read:", repr(tokenizer.decode(row[~mask].tolist())))
print("said:", repr(tokenizer.decode(row[mask].tolist())), f"({mask.sum()} of {len(row)} tokens)")
assert tokenizer.decode(row.tolist()) + "\n" == render(messages_of(LESSON), enable_thinking=True)
