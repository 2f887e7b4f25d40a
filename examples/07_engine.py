"""Answer from a model folder without torch: batches, streams, log-probabilities, many callers of one engine.

Run: python examples/07_engine.py [FOLDER]
"""

import asyncio
import math
import sys
from pathlib import Path

from axk1 import Engine, SamplingParams
from axk1.chat.messages import Message
from axk1.chat.template import render

prompt = render([Message("user", "거실 온도를 24도로 맞춰 줘.")], enable_thinking=True, add_generation_prompt=True)
greedy = SamplingParams(temperature=0, max_tokens=40)

with Engine.open(Path(*sys.argv[1:] or ["runs/tour/model"])) as engine:
    (output,) = engine.generate(prompt, greedy)
    print(f"{output.text} ({output.finish_reason})")

    # As it is made; a reader never sees half a syllable, nor the stop text.
    for delta in engine.stream(prompt, SamplingParams(temperature=0, stop="</think>", logprobs=1)):
        chances = [math.exp(one.logprob) for logprobs in delta.logprobs or () for one in logprobs.values()]
        print(f"{delta.text!r:8} {max(chances):.0%}", end="  ")
    print()

    # Callers share the steps of one engine, and what is known of a prompt is not computed again.
    async def answers(count: int) -> list[str]:
        async def one() -> str:
            return "".join([delta.text async for delta in engine.astream(prompt, greedy)])

        return await asyncio.gather(*[one() for _ in range(count)])

    replies = asyncio.run(answers(3))
    print(f"{sum(reply == output.text for reply in replies)} of {len(replies)} streams said the same")
    (again,) = engine.generate(prompt, greedy)
    print(f"{again.cached_tokens} of {len(again.prompt_token_ids)} tokens of the prompt came from the cache")
    try:
        engine.generate([[5000]], greedy)
    except ValueError as error:
        print("refused:", error)

assert "torch" not in sys.modules
