"""One item: ask for it, take the reply apart, judge every candidate; again with another seed while nothing is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b, sha256

from axk1.corpus.curriculum import FAMILIES
from axk1.corpus.documents import Document, Fact
from axk1.corpus.endpoint import EndpointError
from axk1.corpus.exercise import Attempt, Exercise
from axk1.corpus.families.results import numbers
from axk1.corpus.synthesis.asking import Asker
from axk1.corpus.synthesis.budget import Amount, BudgetError
from axk1.corpus.synthesis.candidate import Candidate, Origin
from axk1.corpus.synthesis.completion import Answer, Complete, Request
from axk1.corpus.synthesis.forms import candidates
from axk1.corpus.synthesis.items import Item
from axk1.corpus.synthesis.judging import agreement, score_of
from axk1.corpus.synthesis.prompts import PromptTemplate
from axk1.corpus.synthesis.rules import COPY, GIST, reason_not_to_keep, shared
from axk1.corpus.synthesis.settings import Model, SynthesisConfig
from axk1.corpus.synthesis.topics import STYLES

__all__ = ["Made", "Outcome", "Voice", "Writer"]

_REFUSED = frozenset({400, 413, 422})  # this request, not all of them
_HOPELESS = frozenset({401, 402, 403, 404, 405, 410})  # nor any other


@dataclass(frozen=True)
class Made:
    """A candidate as a document; `reason` is empty, or says why it is not kept. exercise: of questions with answers."""

    document: Document
    reason: str = ""
    exercise: Exercise | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of an item. limit: of the budget, when it was used up before the end. used: by its answers."""

    item: Item
    made: tuple[Made, ...] = ()
    limit: str = ""
    failed: bool = False  # no answer came
    used: Amount = field(default_factory=Amount)


@dataclass(frozen=True)
class Voice:
    """A model and what completes its requests."""

    model: Model
    complete: Complete = field(repr=False)


class Writer:
    """Works on items, for many threads at once. templates: by their names."""

    def __init__(
        self, config: SynthesisConfig, templates: Mapping[str, PromptTemplate], asker: Asker, voice: Voice, judge: Voice
    ) -> None:
        self._config, self._templates = config, templates
        self._asker, self._voice, self._judge = asker, voice, judge

    def work(self, item: Item) -> Outcome:
        """All attempts. Raises EndpointError where no request can hope for an answer."""
        desk = _Desk(item, self._asker, self._config.seed)
        made: list[Made] = []
        try:
            for attempt in range(item.task.attempts):
                made += self._attempt(desk, attempt)
                if any(not one.reason for one in made):
                    break
        except BudgetError as spent:
            return Outcome(item, limit=spent.limit, used=desk.used)
        except EndpointError as error:
            if error.status in _HOPELESS:
                raise
            reason = "the endpoint refuses the request" if error.status in _REFUSED else "no answer"
            document = Document(str(error), f"{item.task.name}/{item.key}", item.task.name, self._facts(item))
            return Outcome(item, (Made(document, reason),), failed=reason == "no answer", used=desk.used)
        return Outcome(item, tuple(made), used=desk.used)

    def _attempt(self, desk: "_Desk", attempt: int) -> list[Made]:
        item, question = desk.item, desk.item.exercise.question if desk.item.exercise else ""
        noted: dict[str, Fact] = {}
        if item.task.reword:
            reworded = desk.ask(
                self._voice, self._render(item.task.reword, {"question": question}), f"reword {attempt}"
            )
            if reason := _why_not_reworded(question, reworded):
                return [self._made(desk, reworded, attempt, 0, Candidate(reworded.text), reason, {})]
            noted, question = {"original_question": question}, reworded.text
        variables = _variables(item, question)
        prompt = self._render(item.task.template, variables)
        answer = desk.ask(self._voice, prompt, str(attempt))
        found = candidates(answer.text, item.task.form, question)
        if answer.finish == "length" or not found:
            reason = "cut off at max_tokens" if answer.finish == "length" else "not in the form asked for"
            return [self._made(desk, answer, attempt, 0, Candidate(answer.text), reason, {})]
        origin = self._origin(item, variables)
        return [
            self._judged(desk, answer, attempt, number, candidate, origin, noted)
            for number, candidate in enumerate(found)
        ]

    def _judged(
        self,
        desk: "_Desk",
        answer: Answer,
        attempt: int,
        number: int,
        candidate: Candidate,
        origin: Origin,
        noted: Mapping[str, Fact],
    ) -> Made:
        """The cheap rules first, then those that cost a request each."""
        item, scores = desk.item, {**noted, **_measures(candidate, origin)}
        reason = _wrong(item.exercise, candidate) or reason_not_to_keep(candidate, origin, item.task.checks)
        if not reason and item.task.round_trip:
            prompt = self._render("answer", {"text": origin.seed, "question": candidate.question})
            second = desk.ask(self._voice, prompt, "answer", temperature=0.0).text
            agreed = agreement(candidate.answer, second)
            scores |= {"round_trip": round(agreed, 3), "second_answer": second}
            reason = "another answer the second time" if agreed < item.task.round_trip else ""
        if not reason and self._config.judge is not None:
            prompt = self._render(self._config.judge.template, {"text": candidate.text, "seed": origin.seed})
            judged = desk.ask(self._judge, prompt, "judge", temperature=0.0)
            score = score_of(judged.text)
            scores |= {"judge": judged.model, **({} if score is None else {"judge_score": score})}
            low = "judged too low" if score is not None and score < self._config.judge.least_score else ""
            reason = "the judge names no score" if score is None else low
        return self._made(desk, answer, attempt, number, candidate, reason, scores)

    def _made(
        self,
        desk: "_Desk",
        answer: Answer,
        attempt: int,
        number: int,
        candidate: Candidate,
        reason: str,
        scores: Mapping[str, Fact],
    ) -> Made:
        item = desk.item
        text = f"{item.seed.text}\n\n{candidate.text}" if item.task.with_seed and item.seed else candidate.text
        facts = {
            **self._facts(item),
            "model": answer.model,
            "output_terms": self._voice.model.output_terms,
            "temperature": self._voice.model.temperature,
            "top_p": self._voice.model.top_p,
            "sampling_seed": desk.seed(str(attempt)),
            "attempt": attempt,
            "made": answer.made,
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
            **scores,
        }
        document = Document(text, f"{item.task.name}/{item.key}/{attempt}.{number}", item.task.name, facts)
        return Made(document, reason, None if reason else _exercise(item, candidate))

    def _facts(self, item: Item) -> dict[str, Fact]:
        """Where a document comes from, whatever the answer; licence and name go along with the seed."""
        template = self._templates[item.task.template]
        by = f"{self._voice.model.name} (template {template.name})"
        facts: dict[str, Fact] = {"license": self._config.license, "changes": f"written by {by}"}
        if item.seed is not None:
            facts |= {
                key: item.seed.metadata[key] for key in ("license", "attribution", "url") if key in item.seed.metadata
            }
            facts |= {"changes": f"rewritten by {by}", "seed_source": item.seed.source, "seed_id": item.seed.id}
            facts |= {"seed_sha256": sha256(item.seed.text.encode("utf-8")).hexdigest()}
        if item.topic is not None:
            facts |= {name: getattr(item.topic, name) for name in ("field", "topic", "audience", "form", "register")}
        if item.exercise is not None:
            facts |= {"family": item.exercise.family}
        facts |= {"template": template.name, "template_sha256": template.sha256}
        return {key: value for key, value in facts.items() if value != ""}

    def _origin(self, item: Item, variables: Mapping[str, str]) -> Origin:
        instructions = self._render(item.task.template, dict.fromkeys(variables, ""))
        return Origin(item.seed.text if item.seed else "", instructions, item.topic, item.task.with_seed)

    def _render(self, template: str, variables: Mapping[str, str]) -> str:
        return self._templates[template].render(variables)


class _Desk:
    """The requests of one item, each with a seed of its own by what it is for."""

    def __init__(self, item: Item, asker: Asker, seed: int) -> None:
        self.item = item
        self.used = Amount()
        self._asker, self._seed = asker, seed

    def seed(self, purpose: str) -> int:
        """By which the model is to sample the answer."""
        key = f"{self._seed}\0{self.item.task.name}\0{self.item.key}\0{purpose}"
        return int.from_bytes(blake2b(key.encode("utf-8"), digest_size=4).digest(), "big") >> 1

    def ask(self, voice: Voice, prompt: str, purpose: str, temperature: float | None = None) -> Answer:
        model = voice.model
        request = Request(
            model.name,
            prompt,
            model.system,
            model.max_tokens,
            model.temperature if temperature is None else temperature,
            model.top_p,
            self.seed(purpose),
            model.extra,
        )
        answer = self._asker.ask(request, voice.complete, model.price)
        self.used += model.price.paid(answer)
        return answer


def _measures(candidate: Candidate, origin: Origin) -> dict[str, Fact]:
    """How much of the candidate stands in its seed: in long runs of letters, and in short ones."""
    if not origin.seed:
        return {}
    told = candidate.answer or candidate.text
    return {"copied": round(shared(told, origin.seed, COPY), 3), "shared": round(shared(told, origin.seed, GIST), 3)}


def _variables(item: Item, question: str) -> dict[str, str]:
    """What a template may name."""
    variables = dict(item.task.variables)
    if item.seed is not None:
        variables |= {"text": item.seed.text, "title": str(item.seed.metadata.get("title", ""))}
    if item.topic is not None:
        topic = item.topic
        variables |= {"field": topic.field, "topic": topic.topic, "audience": topic.audience, "form": topic.form}
        variables |= {"register": topic.register, "style": STYLES[topic.register]}
    if item.exercise is not None:
        variables |= {"question": question, "answer": item.exercise.answer, "family": item.exercise.family}
    return variables


def _why_not_reworded(question: str, answer: Answer) -> str:
    """A question in other words has the same numbers, ends as a question and is another text."""
    if not answer.text.rstrip().endswith("?") or "\n" in answer.text.strip():
        return "not in the form asked for"
    if sorted(numbers(question)) != sorted(numbers(answer.text)):
        return "the question has other numbers"
    return "copies the question" if "".join(question.split()) == "".join(answer.text.split()) else ""


def _wrong(exercise: Exercise | None, candidate: Candidate) -> str:
    """The grade of the family: the truth is known."""
    if exercise is None or FAMILIES[exercise.family].grade(exercise, Attempt(candidate.answer)):
        return ""
    return "wrong answer"


def _exercise(item: Item, candidate: Candidate) -> Exercise | None:
    """For fine-tuning: what has a question and an answer."""
    if not candidate.answer:
        return None
    family = item.exercise.family if item.exercise else item.task.name
    keys = item.exercise.keys if item.exercise else ()
    seen = f"{item.seed.text}\n\n" if item.task.with_seed and item.seed else ""
    return Exercise(family, "ko", seen + candidate.question, candidate.reasoning, candidate.answer, keys=keys)
