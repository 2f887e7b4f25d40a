"""Everything about a server that its operator decides: `serve.toml`, or options of `axk1 serve`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

__all__ = [
    "DatabaseSettings",
    "LimitSettings",
    "NoticeSettings",
    "ServeSettings",
    "ThinkingSettings",
    "UpstreamSettings",
]


@dataclass(frozen=True)
class LimitSettings:
    """What one client may ask of the server at most."""

    body_bytes: int = 8 << 20  # of a request, but for uploads
    upload_bytes: int = 512 << 20  # of a file
    project_file_bytes: int = 10 << 30  # of all files of a project
    key_history_bytes: int = 1 << 30  # of all conversations that the web chat keeps for a key
    json_depth: int = 64
    request_seconds: float = 600.0  # until an answer is complete
    body_seconds: float = 30.0  # until a request's body is there
    most_at_once: int = 512  # answers under way; more get 503
    batch_at_once: int = 8  # requests of batches under way while nobody else asks; one while somebody does
    grace_seconds: float = 30.0  # for running answers when the server stops

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise ValueError(f"limits.{name} must be above 0, not {value}")


@dataclass(frozen=True)
class ThinkingSettings:
    """Tokens of reasoning that `reasoning_effort` allows; 0: as many as the model likes."""

    low: int = 512
    medium: int = 2048
    high: int = 0


@dataclass(frozen=True)
class UpstreamSettings:
    """Another server behind this one. Several with the same `name` share its load."""

    url: str  # up to and with /v1
    name: str  # the model's name here
    model: str = ""  # its name there; "" = the same
    key_variable: str = ""  # the environment variable that holds its key
    kind: str = ""  # axk1, vllm, sglang, llamacpp, openai, adot (the hosted A.X K1 API); "" = ask the upstream
    allow: tuple[str, ...] = ()  # abilities that it has beside those of its kind, such as thinking_budget
    deny: tuple[str, ...] = ()  # abilities that it lacks
    context: int = 0  # tokens; 0 = ask the upstream, else unknown
    weight: float = 1.0  # its share of the load
    timeout_seconds: float = 600.0  # until the first byte of an answer, or a whole one that is not streamed
    gap_seconds: float = 120.0  # between two pieces of an answer
    connect_seconds: float = 5.0
    most_connections: int = 512
    environment_proxies: bool = False  # whether HTTP_PROXY and its kin are followed

    def __post_init__(self) -> None:
        for name in ("weight", "timeout_seconds", "gap_seconds", "connect_seconds", "most_connections"):
            if not getattr(self, name) > 0:
                raise ValueError(f"upstreams.{name} must be above 0, not {getattr(self, name)}")
        if not self.name:
            raise ValueError("upstreams.name must say what the model is called here")


@dataclass(frozen=True)
class DatabaseSettings:
    """Where keys, ledger, files and histories are kept. A URL of SQLAlchemy; "" = SQLite in the server's folder."""

    url: str = ""


@dataclass(frozen=True)
class NoticeSettings:
    """What the page tells people about talking to AI (Korea's AI Basic Act, articles 31 and 32), and how answers are
    marked. "" = the built-in words in the reader's language."""

    operator: str = ""  # who runs this service, shown in the notice and in exports
    before_korean: str = ""
    before_english: str = ""
    label_korean: str = ""
    label_english: str = ""


@dataclass(frozen=True)
class ServeSettings:
    """A whole server. `folder` holds what it keeps: database, files, journal."""

    model: str = ""  # a model folder; "" = the upstreams alone
    name: str = ""  # the model's name for clients; "" = the folder's
    host: str = "127.0.0.1"
    port: int = 8000
    folder: Path = Path("runs/serve")
    keys: bool = False  # whether requests need a key; without, only this machine may ask
    web: bool = True
    upstreams: tuple[UpstreamSettings, ...] = ()
    limits: LimitSettings = field(default_factory=LimitSettings)
    thinking: ThinkingSettings = field(default_factory=ThinkingSettings)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    notice: NoticeSettings = field(default_factory=NoticeSettings)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port must be from 0 to 65535, not {self.port}")
