"""The tour, second half: batch, embedding, router, loss, checkpoint folder, prompt, answer. Run 03 first.

Run: python examples/04_train_and_answer.py [FOLDER]
"""

import sys
from pathlib import Path

import torch

from axk1.chat.messages import Message
from axk1.chat.parser import parse
from axk1.chat.template import files, render
from axk1.data.loader import Loader
from axk1.data.shards import TokenShards
from axk1.export.huggingface import save
from axk1.model import Generator, Transformer
from axk1.model.folder import load
from axk1.tokenizer.tokenizer import Tokenizer
from axk1.train.adamw import AdamW
from axk1.train.architecture import ModelChoice
from axk1.train.optimizer import OptimizerConfig

SHAPE = {"vocab_size": 320, "hidden_size": 64, "num_hidden_layers": 2, "n_routed_experts": 8, "num_experts_per_tok": 2}


def learn(what: str, model: Transformer, rows: Loader, steps: int) -> None:
    optimizer = AdamW(dict(model.named_parameters()), OptimizerConfig())
    for step in range(1, steps + 1):
        batch = rows.next()
        losses = model.loss(batch.tokens_BT, batch.targets_BT, batch.documents_BT, balance_weight=1e-4)
        losses.total.backward()
        optimizer.step(learning_rate=6e-3)
        optimizer.zero_grad()
        model.update_bias(losses.load_LE, rate=1e-3)
        if step in (1, steps):
            print(f"{what}, step {step}: loss {losses.cross_entropy:.3f}, load {losses.load_LE[0].tolist()}")


work = Path(*sys.argv[1:] or ["runs/tour"])
tokenizer = Tokenizer.load(work / "tokenizer")
stream = Loader(TokenShards.open(work / "stream"), seq_len=12, batch_size=2, seed=0)
batch = stream.next()
print(f"# batch\n{batch.tokens_BT.tolist()}\n{batch.targets_BT.tolist()}")
torch.manual_seed(0)
model = Transformer(ModelChoice("nano", SHAPE).config())
print("# embedding\n" + " ".join(f"{x:.4f}" for x in model.model.embed_tokens.weight[302, :6].tolist()))
_, (route,) = model.hidden(batch.tokens_BT)
print(f"# experts of the first row\n{route.chosen_NK[:12].sort().values.tolist()}\n# loss")
learn("text", model, stream, 20)
learn("conversation", model, Loader(TokenShards.open(work / "sft"), 64, 1, 0, "documents"), 40)
parts = {**tokenizer.files(), **files()}
save(model.state_dict(), model.config, work / "model", parts, dtype=torch.bfloat16)
print("# folder\n" + "\n".join(sorted(file.name for file in (work / "model").iterdir())))
prompt = render([Message("user", "거실 온도를 24도로 맞춰 줘.")], enable_thinking=True, add_generation_prompt=True)
(reply,) = Generator(load(work / "model")).generate([tokenizer.encode(prompt)], 40, frozenset({0, 1}))
print(f"# prompt\n{prompt!r}\n# answer\n{tokenizer.decode(reply)!r}\n{parse(tokenizer.decode(reply), thinking=True)}")
