"""Writes a small random model in float32 and the scores that transformers' own model gives to texts; run beforehand.

The clients have an environment of their own, without torch: what they are held against is made here.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

from axk1.arch import ModelConfig, preset
from axk1.chat import template
from axk1.export.huggingface import save
from axk1.model import Transformer
from axk1.tokenizer.tokenizer import Tokenizer
from axk1.tokenizer.train import train

SHAPE = {
    "vocab_size": 640, "hidden_size": 64, "intermediate_size": 96, "moe_intermediate_size": 32, "num_hidden_layers": 3,
    "num_attention_heads": 4, "num_key_value_heads": 4, "q_lora_rank": 32, "kv_lora_rank": 32, "qk_nope_head_dim": 16,
    "qk_rope_head_dim": 16, "v_head_dim": 16, "n_routed_experts": 8, "n_group": 2, "topk_group": 1,
    "num_experts_per_tok": 2, "max_position_embeddings": 2048, "initializer_range": 0.3,
}  # fmt: skip
TEXT = "거실 불을 켜 줘. 네, 거실 불을 켰어요. 온도는 23도예요. 오늘 서울 날씨는 맑고 바람이 불어요. The room is warm. "
QUESTIONS = ["거실 온도는", "오늘 서울 날씨는", "The room is", "불을 켜"]
ANSWERS = [" 23도예요.", " 맑고 바람이 조금 불어요.", " warm and dry.", " 줘."]


def scores(model: torch.nn.Module, tokenizer: Tokenizer, question: str, answer: str) -> float:
    """The log-probability of the answer behind the question."""
    asked, whole = tokenizer.encode(question), tokenizer.encode(question + answer)
    with torch.no_grad():
        logprobs = torch.log_softmax(model(torch.tensor([whole])).logits[0].double(), -1)
    return float(sum(logprobs[place - 1, whole[place]] for place in range(len(asked), len(whole))))


def main(folder: Path) -> None:
    torch.manual_seed(0)
    config = ModelConfig(**{**vars(preset("nano")), **SHAPE})
    tokenizer = train([TEXT] * 20, 600)
    save(Transformer(config).state_dict(), config, folder, tokenizer.files() | template.files(), dtype=torch.float32)
    oracle = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    rows = [
        {
            "question": question,
            "choices": ANSWERS,
            "scores": [scores(oracle, tokenizer, question, one) for one in ANSWERS],
        }
        for question in QUESTIONS
    ]
    (folder / "scores.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
