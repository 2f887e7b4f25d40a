"""The peer vLLM. python engine_vllm.py FOLDER; lines as engine_ours.py reads them.

Runs in an environment that peers/vllm.sh makes, with the settings of engine_contenders.VLLM; with zentorch in it vLLM
uses that. A decoded step is one of the engine's, its scheduling and sampling included; its first token is vLLM's own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from contest import serve
from vllm import LLM, SamplingParams
from workload import LONGEST, MOST_STREAMS, STEPS, tokens


class VLLM:
    def __init__(self, folder: str) -> None:
        self.engine = LLM(
            folder,
            dtype="bfloat16",
            skip_tokenizer_init=True,
            max_model_len=LONGEST,
            max_num_seqs=MOST_STREAMS,
            max_num_batched_tokens=2 * LONGEST,  # all prompts in one step
            enable_prefix_caching=False,
            gpu_memory_utilization=0.5,
            # its own kernel turns the wrong pairs for this family
            compilation_config={"custom_ops": ["-rotary_embedding"]},
            seed=0,
        ).llm_engine
        self.vocab = self.engine.model_config.get_vocab_size()
        self.requests = 0
        self.running: list[str] = []

    def work(self, line: str) -> Callable[[], object]:
        kind, *numbers = line.split()
        self.engine.abort_request(self.running)
        self.running = []
        if kind == "prompt":
            (length,) = map(int, numbers)
            ids = tokens(length, self.vocab)
            return lambda: self.read([ids], 1)
        streams, context = map(int, numbers)
        self.read([tokens(context, self.vocab, seed) for seed in range(streams)], STEPS + 2)
        return lambda: self.decode(streams)

    def read(self, rows: list[list[int]], new: int) -> None:
        """Every prompt and its first token, in one step."""
        settings = SamplingParams(temperature=0, max_tokens=new, ignore_eos=True, detokenize=False)
        for row in rows:
            self.requests += 1
            self.running.append(str(self.requests))
            self.engine.add_request(self.running[-1], {"prompt_token_ids": row}, settings)
        self.step(len(rows))

    def decode(self, streams: int) -> None:
        for _ in range(STEPS):
            self.step(streams)

    def step(self, streams: int) -> None:
        outputs: list[Any] = self.engine.step()
        assert len(outputs) == streams, f"a step of {streams} streams answered {len(outputs)}"


if __name__ == "__main__":
    serve(VLLM(sys.argv[1]).work)
