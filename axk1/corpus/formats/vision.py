"""PDF pages → text by a vision-language model behind any OpenAI-compatible endpoint; answers are cached on disk."""

import base64
import hashlib
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axk1.corpus.endpoint import Endpoint, EndpointError, post
from axk1.corpus.formats.limits import Limits
from axk1.corpus.formats.pdf import open_pdf
from axk1.corpus.streams import CorpusError
from axk1.runs import write_whole

__all__ = ["Vision", "png", "read"]

_PROMPT = (
    "이 문서 쪽의 본문을 읽는 순서대로 그대로 옮겨 적어 주세요. 표는 마크다운 표로 쓰고, "
    "머리말, 꼬리말, 쪽 번호는 빼 주세요. 없는 말을 보태거나 설명하지 마세요."
)


@dataclass(frozen=True)
class Vision:
    """Where the model answers, and what it may cost."""

    url: str  # up to and with /v1
    model: str
    cache: str  # a folder for the answers: a page is asked for once
    prompt: str = _PROMPT
    key_variable: str = ""  # the environment variable that holds the endpoint's key; "" = no key
    dots_per_inch: int = 144
    max_tokens: int = 4096  # of an answer
    page_budget: int = 1000  # answers in the cache folder; a page beyond them is a bad record
    tries: int = 4
    first_wait: float = 1.0  # seconds before the second try; doubles with every further one
    timeout: float = 300.0  # seconds that an answer may take

    def __post_init__(self) -> None:
        _ = self.endpoint
        for name in ("dots_per_inch", "max_tokens", "page_budget"):
            if getattr(self, name) <= 0:
                raise ValueError(f"vision: {name} must be above 0, found {getattr(self, name)}")

    @property
    def endpoint(self) -> Endpoint:
        """ValueError for settings that cannot be meant."""
        try:
            return Endpoint(self.url, self.key_variable, self.tries, self.first_wait, timeout=self.timeout)
        except ValueError as error:
            raise ValueError(f"vision: {error}") from error


def read(path: Path, limits: Limits, vision: Vision) -> tuple[str, Mapping[str, str]]:
    """The answers for all pages, an empty line between them. CorpusError, also for a spent budget."""
    document, _ = open_pdf(path, limits)
    try:
        pages = [_page(page, f"{path}: page {number}", vision) for number, page in enumerate(document, start=1)]
    finally:
        document.close()
    return "\n\n".join(filter(None, pages)), {}


def _page(page: Any, place: str, vision: Vision) -> str:
    pixels = page.render(scale=vision.dots_per_inch / 72, grayscale=True).to_numpy()
    image = png(pixels.shape[1], pixels.shape[0], pixels.tobytes())
    page.close()
    asked = f"{vision.model}\0{vision.prompt}\0{vision.max_tokens}\0".encode() + image
    kept = Path(vision.cache, hashlib.sha256(asked).hexdigest() + ".txt")
    if kept.exists():
        return kept.read_text(encoding="utf-8")
    kept.parent.mkdir(parents=True, exist_ok=True)
    if sum(1 for _ in kept.parent.glob("*.txt")) >= vision.page_budget:
        raise CorpusError(f"{place}: the budget of {vision.page_budget} pages is spent (vision.page_budget)")
    text = _answer(image, place, vision).strip()
    write_whole(kept, text)
    return text


def png(width: int, height: int, gray: bytes) -> bytes:
    """Gray pixels, row by row from the top, as a PNG file."""
    rows = b"".join(b"\0" + gray[at : at + width] for at in range(0, width * height, width))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _answer(image: bytes, place: str, vision: Vision) -> str:
    """The model's text; an overloaded endpoint is asked again, a refusal is not."""
    picture = {"url": "data:image/png;base64," + base64.b64encode(image).decode("ascii")}
    content = [{"type": "image_url", "image_url": picture}, {"type": "text", "text": vision.prompt}]
    body = {
        "model": vision.model,
        "max_tokens": vision.max_tokens,
        "temperature": 0,
        "messages": [{"role": "user", "content": content}],
    }
    try:
        return post(vision.endpoint, "/chat/completions", body, lambda reply: _text(reply, place))
    except EndpointError as error:
        raise CorpusError(f"{place}: {error}") from error


def _text(reply: Any, place: str) -> str:
    """CorpusError for an answer that was cut off: half a page is worse than none."""
    try:
        choice = reply["choices"][0]
        text = choice["message"]["content"]
    except (KeyError, IndexError, TypeError) as error:
        raise CorpusError(f"{place}: the endpoint's answer has no choices[0].message.content") from error
    if choice.get("finish_reason") == "length":
        raise CorpusError(f"{place}: the answer was cut off at max_tokens")
    return text if isinstance(text, str) else ""
