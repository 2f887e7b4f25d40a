"""A model that rewrites, asks, solves and judges by rule, and is wrong one time in six."""

import re

from axk1.corpus.korean_text.sentences import sentences
from model_server import Body, drawn

__all__ = ["FAULTS", "played"]

FAULTS = ("", "", "", "429 0.01", "500", "cut", "drop", "slow 0.02")
CONNECTORS = ("한편", "그에 앞서", "돌이켜 보면", "알려진 대로", "덧붙이면", "사실", "그 무렵")


def played(body: Body) -> str:
    """The reply that the prompt asks for; one in six is spoilt in one of several ways, chosen by the request."""
    prompt = body["messages"][-1]["content"]
    good = _good(prompt, body)
    spoilt = (
        "죄송하지만 저는 AI 언어 모델로서 도와드릴 수 없습니다. 다른 것을 물어봐 주세요.",
        "I am a model that answers in English whatever the question may be, you see.",
        prompt,
        good * 40,
        "봄이 왔다. " * 30,
        "",
    )
    return spoilt[drawn(body, 6)] if drawn({"spoil": body}, 6) == 0 else good


def _good(prompt: str, body: Body) -> str:
    if "점수" in prompt:
        return f"읽을 만하다.\n점수: {3 + drawn(body, 3)}"
    if "풀어 주세요" in prompt:
        found = [int(number) for number in re.findall(r"\d+", prompt.rpartition("문제:")[2])]
        result = sum(found) + (drawn(body, 3) == 0)
        return f"두 수를 더한다.\n{'+'.join(map(str, found))}={result}이다.\n답: {result}"
    if "짧게 답해" in prompt:
        seed = prompt.partition("글:\n")[2].partition("\n\n질문:")[0]
        return sentences(seed)[-1 if drawn(body, 4) == 0 else 0]
    if "쌍 만들어" in prompt:
        seed = prompt.partition("글:\n")[2]
        said = sentences(seed)
        return "\n\n".join(f"질문: {one.rstrip('.!?')}는 일에서 무엇이 일어났나요?\n답: {one}" for one in said[:2])
    seed = prompt.partition("글:\n")[2]
    if seed:
        return " ".join(f"{CONNECTORS[n % 7]}, {one}" for n, one in enumerate(reversed(sentences(seed))))
    topic = prompt.partition("'")[2].partition("'")[0]
    ends = {"해요체": "요", "합쇼체": "습니다", "글말": "다"}
    end = next(ending for style, ending in ends.items() if style in prompt)
    verb = {"요": "생각해 보면 알 수 있어요", "습니다": "생각해 보면 알 수 있습니다", "다": "생각해 보면 알 수 있다"}[
        end
    ]
    words = [
        "집에서",
        "길에서",
        "책에서",
        "들판에서",
        "시장에서",
        "하늘에서",
        "바다에서",
        "학교에서",
        "부엌에서",
        "산에서",
    ]
    return " ".join(
        f"{topic} 이야기는 {words[(drawn(body, 97) * n + n) % 10]} {n + 2}번쯤 {verb}." for n in range(1, 6)
    )
