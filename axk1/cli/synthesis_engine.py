"""A model folder as what completes the requests of a synthesis: our engine, in this process, without a server."""

from datetime import UTC, datetime

from axk1.chat.messages import Message, Role
from axk1.chat.parser import parse
from axk1.chat.sampling import SamplingParams
from axk1.chat.template import render
from axk1.corpus.endpoint import EndpointError
from axk1.corpus.synthesis.completion import Answer, Complete, Request
from axk1.engine.engine import Engine
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["engine_completer"]

_TOO_LONG = 413  # as an endpoint would say it: this request only


def engine_completer(engine: Engine, tokenizer: Tokenizer) -> Complete:
    """Requests of several threads fill the steps of the engine together."""
    ends = engine.config.special_token_ids

    def complete(request: Request) -> Answer:
        roles: list[tuple[Role, str]] = [("system", request.system), ("user", request.prompt)]
        messages = [Message(role, content) for role, content in roles if content]
        ids = tokenizer.encode(render(messages, (), enable_thinking=False, add_generation_prompt=True))
        if len(ids) + request.max_tokens > engine.context:
            raise EndpointError(f"{len(ids)} tokens and max_tokens are more than the context", _TOO_LONG)
        params = SamplingParams(
            request.temperature, request.top_p, request.seed, max_tokens=request.max_tokens, stop_token_ids=ends
        )
        (output,) = engine.generate([ids], params)
        said = [token for token in output.token_ids if token < tokenizer.vocab_size and token not in ends]
        text = parse(tokenizer.decode(said), thinking=False).content.strip()
        made = datetime.now(UTC).isoformat("T", "seconds")
        return Answer(text, output.finish_reason, request.model, len(ids), len(output.token_ids), made)

    return complete
