"""Templates → prompts: files of jinja2, ours by name or the user's by path, rendered in a sandbox."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from axk1.config import ConfigError
from axk1.corpus.korean import josa

__all__ = ["BUILT_IN", "PromptTemplate", "read_template"]

_FOLDER = Path(__file__).with_name("templates")
BUILT_IN = tuple(sorted(path.stem for path in _FOLDER.glob("*.jinja")))
"""Names of our own templates."""


@dataclass(frozen=True)
class PromptTemplate:
    """A template with its name and the SHA-256 of its file."""

    name: str
    sha256: str
    _template: Template = field(repr=False)

    def render(self, variables: Mapping[str, str]) -> str:
        """The prompt. ConfigError for a variable that is not there."""
        try:
            return self._template.render(**variables).strip()
        except TemplateError as error:
            raise ConfigError(f"template {self.name}: {error} (there are: {', '.join(sorted(variables))})") from error


def read_template(name: str, folder: Path) -> PromptTemplate:
    """One of ours by its name, or the file of that path, relative to `folder`. ConfigError, OSError.

    In a template stands {{ word | josa("을/를") }} for the word with the particle that fits it.
    """
    path = _FOLDER / f"{name}.jinja" if name in BUILT_IN else folder / name
    if name not in BUILT_IN and not path.exists():
        raise ConfigError(f"no template {name!r} (built in: {', '.join(BUILT_IN)}; or a file, {path} is none)")
    text = path.read_text(encoding="utf-8")
    try:
        template = _ENVIRONMENT.from_string(text)
    except TemplateSyntaxError as error:
        raise ConfigError(f"{path}:{error.lineno}: {error.message}") from error
    return PromptTemplate(name, sha256(text.encode("utf-8")).hexdigest(), template)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["josa"] = josa
    return environment


_ENVIRONMENT = _environment()
