"""What a scorer has before it, with scripted models that each call costs a quarter of a dollar."""

from collections.abc import Mapping, Sequence
from typing import Any

from hitl_prefect.asking import DirectAsker
from hitl_prefect.drafts import request_for
from hitl_prefect.errors import ConfigError, HitlError
from hitl_prefect.messages import Message
from hitl_prefect.models import Case
from hitl_prefect.protocols import Decided, Question, Reply, Request
from hitl_prefect.providers.scripted import ScriptedProvider, Step
from hitl_prefect.scorers.base import Sitting
from tests.unit.making import a_case, a_generation

DRAFTER = "scripted:drafter"
PRICE_USD = 0.25

Script = Sequence[str | HitlError | Step]


class ScriptedDecider(ScriptedProvider):
    """Decides what it is told to, and answers nothing else."""

    def __init__(self, probabilities: Mapping[str, float | None]) -> None:
        super().__init__(["{}"], model="decider")
        self._probabilities = probabilities
        self.asked: list[tuple[tuple[Message, ...], tuple[Question, ...]]] = []

    async def decide(self, messages: tuple[Message, ...], questions: tuple[Question, ...]) -> Decided:
        self.asked.append((messages, questions))
        return Decided(probabilities=dict(self._probabilities), model=self.model)


class Table(DirectAsker):
    """Asks the scripted models that sit at the table."""

    def __init__(self, request: Request, providers: dict[str, ScriptedProvider], second: str | None) -> None:
        self.providers = providers
        super().__init__(request, drafted_by=DRAFTER, second=second, resolve=self._find)

    async def _find(self, name: str) -> ScriptedProvider:
        if name not in self.providers:
            raise ConfigError(f"no model {name!r} sits here")
        return self.providers[name]

    async def _ask(self, key: str, model: str, request: Request) -> Reply:
        return (await super()._ask(key, model, request)).model_copy(update={"cost_usd": PRICE_USD})

    async def _decide(self, key: str, model: str, *asked: Any) -> Decided:
        return (await super()._decide(key, model, *asked)).model_copy(update={"cost_usd": PRICE_USD})


def at_table(scripts: Mapping[str, Script | ScriptedProvider], *, case: Case, second: str | None = None) -> Table:
    """By model name, what each model says; `DRAFTER` is the one that drafted."""
    providers = {
        name: script if isinstance(script, ScriptedProvider) else ScriptedProvider(script, model=name)
        for name, script in scripts.items()
    }
    return Table(request_for(case), providers, second)


def seated(
    scripts: Mapping[str, Script | ScriptedProvider] | Script,
    draft: Any = "Paris",
    *,
    case: Case | None = None,
    second: str | None = None,
) -> Sitting:
    """A sitting over a draft; a bare script is that of the model that drafted."""
    case = case or a_case(prompt="Capital of France?")
    named = scripts if isinstance(scripts, Mapping) else {DRAFTER: scripts}
    return Sitting(case, a_generation(answer=draft, text=""), at_table(named, case=case, second=second))


def requests_to(sitting: Sitting, model: str = DRAFTER) -> list[Request]:
    """What a model at the table was asked."""
    assert isinstance(sitting.asker, Table)
    return sitting.asker.providers[model].requests
