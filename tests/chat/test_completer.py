from collections.abc import Sequence

from axk1.chat.completer import ChatCompleter, MessageCompleter, TokenCompleter
from axk1.chat.messages import Message, Reply
from axk1.chat.sampling import GREEDY, SamplingParams
from axk1.tokenizer.tokenizer import Tokenizer


class Script:
    """Remembers the prompts and answers each with the same text."""

    def __init__(self, tokenizer: Tokenizer, answer: str) -> None:
        self.tokenizer, self.answer, self.prompts = tokenizer, answer, list[str]()

    def complete(
        self, prompts: Sequence[list[int]], max_new_tokens: int, sampling: SamplingParams = GREEDY
    ) -> list[list[int]]:
        self.prompts += [self.tokenizer.decode(prompt) for prompt in prompts]
        return [self.tokenizer.encode(self.answer)[:max_new_tokens] for _ in prompts]


def test_a_conversation_is_completed(tokenizer: Tokenizer) -> None:
    script = Script(tokenizer, "켠다.</think>네, 켰습니다.<|im_end|>")
    completer: TokenCompleter = script
    chat: MessageCompleter = ChatCompleter(completer, tokenizer, max_new_tokens=99)
    assert chat.reply([Message("user", "불 켜 줘")], enable_thinking=True) == Reply("켠다.", "네, 켰습니다.")
    assert script.prompts == ["<|im_start|>user\n불 켜 줘<|im_end|>\n<|im_start|>assistant\n<think>"]


def test_a_cut_completion_is_malformed(tokenizer: Tokenizer) -> None:
    chat = ChatCompleter(Script(tokenizer, "켠다.</think>네"), tokenizer, max_new_tokens=1)
    assert "no </think>" in chat.reply([Message("user", "불 켜 줘")], enable_thinking=True).malformed
