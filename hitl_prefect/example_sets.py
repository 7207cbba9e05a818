"""Sets of examples, and whether they won: stored beside the outcomes, numbered, never changed."""

from math import comb
from typing import Literal

from pydantic import Field, JsonValue, ValidationError

from hitl_prefect.answers import problems_of
from hitl_prefect.canonical import canonical_bytes
from hitl_prefect.errors import ConfigError, OutcomeConflict
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import TaskName
from hitl_prefect.numbered import TRIES, newest_number, numbered_key, numbered_prefix, put_from
from hitl_prefect.protocols import Store

__all__ = ["ExampleSet", "Reviewed", "Trial", "newest_set", "next_number", "put_set", "set_key"]

_ALPHA = 0.05
_KIND = "examples"


class Reviewed(Frozen):
    """A case as people decided it."""

    case_id: str
    prompt: str
    """The user's turn."""
    answer: JsonValue
    """What people want to be answered, as JSON data."""
    corrected: bool = False
    """Whether the draft said something else."""


class Trial(Frozen):
    """How a model did on reviewed cases that are no examples; each was asked with and without examples.

    >>> Trial(agreed_both=20, only_with=9, only_without=1, agreed_neither=5, unanswered=0).p_value
    0.0107421875
    """

    agreed_both: int = Field(ge=0)
    """Cases where both answers are what people want."""
    only_with: int = Field(ge=0)
    """Only the one with examples."""
    only_without: int = Field(ge=0)
    """Only the one without."""
    agreed_neither: int = Field(ge=0)
    unanswered: int = Field(ge=0)
    """Cases where the model could not be asked one of the two ways; they count for nothing."""

    @property
    def asked(self) -> int:
        """Cases that count."""
        return self.agreed_both + self.only_with + self.only_without + self.agreed_neither

    @property
    def p_value(self) -> float:
        """How likely it is to win at least so often, were examples of no use; in [0, 1].

        Of the cases where one way alone agrees with people, so many are for examples: exact, one-sided.

        Source:
            McNemar (1947), Psychometrika 12.
        """
        told = self.only_with + self.only_without
        return float(sum(comb(told, wins) for wins in range(self.only_with, told + 1)) / 2**told)

    @property
    def wins(self) -> bool:
        """Whether examples are to be shown."""
        return self.p_value <= _ALPHA


class ExampleSet(Frozen):
    """The examples that were tried with one model, and what came of it."""

    schema_: Literal["hitl.examples/v1"] = Field(default="hitl.examples/v1", alias="schema")
    task: TaskName
    number: int = Field(ge=1)
    model: str
    """As the flow names it."""
    k: int = Field(ge=1)
    max_tokens: int = Field(ge=1)
    trial: Trial
    reviewed: tuple[Reviewed, ...]
    """The cases to choose from."""


def set_key(task: str, number: int | None = None) -> str:
    """Where a set is stored, below the store's prefix; without a number, how the keys of a task's sets begin.

    >>> set_key("invoices", 7)
    'examples/v1/task=invoices/000007.json'
    """
    return numbered_prefix(_KIND, task) if number is None else numbered_key(_KIND, task, number)


def put_set(store: Store, found: ExampleSet) -> ExampleSet:
    """Store a set under its number; where another trial took that meanwhile, under the next.

    Returns:
        The set as it is stored.

    Raises:
        OutcomeConflict: If other trials took that many numbers meanwhile.
        StoreError: If the store refused, or is away.
    """

    def numbered(number: int) -> ExampleSet:
        return found.model_copy(update={"number": number})

    number = put_from(store, _KIND, found.task, found.number, lambda free: canonical_bytes(numbered(free)))
    if number is None:
        raise OutcomeConflict(f"task {found.task!r}: other trials took {TRIES} numbers meanwhile; try examples again")
    return numbered(number)


def next_number(store: Store, task: str) -> int:
    """The number that the next set of a task takes."""
    return newest_number(store, _KIND, task) + 1


def newest_set(store: Store, task: str, model: str) -> ExampleSet | None:
    """The set that was tried last with a model; `None` where none was.

    Raises:
        ConfigError: If a set cannot be read.
        StoreError: If the store refused, or is away.
    """
    for key in reversed(store.keys(set_key(task))):
        found = _read(key, store.get(key))
        if found.model == model:
            return found
    return None


def _read(key: str, body: bytes) -> ExampleSet:
    try:
        return ExampleSet.model_validate_json(body)
    except ValidationError as exc:
        raise ConfigError(
            f"{key!r} holds no set of examples ({'; '.join(problems_of(exc)[:3])}): move it away, or try examples anew "
            "with `hitl examples`"
        ) from exc
