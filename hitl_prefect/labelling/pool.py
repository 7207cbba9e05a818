"""The pool of cases to label: what is left of a source, and what is decided already."""

from dataclasses import dataclass
from typing import Any

from hitl_prefect.classifying import labels_in
from hitl_prefect.errors import ConfigError
from hitl_prefect.learning import Labelled, text_of
from hitl_prefect.models import Case
from hitl_prefect.outcomes import case_indexed_by, index_prefix
from hitl_prefect.protocols import Store
from hitl_prefect.reading import read_outcomes
from hitl_prefect.sources import BadLine, Source, read_cases

__all__ = ["Pool", "read_pool", "read_texts"]


@dataclass(frozen=True)
class Pool:
    """What a round begins with."""

    labels: list[Labelled]
    """Decided by people."""
    decided: frozenset[str]
    """The ids of all cases of the task that have an outcome."""
    cases: list[Case]
    """Cases with a text that have no outcome, in the order of the source."""
    bad_lines: int
    """Lines of the source that tell no case, and cases without any text."""


def read_pool(store: Store, source: Source, *, task: str, answer: Any, instructions: str) -> Pool:
    """Read the whole source and the outcomes of the task.

    Raises:
        ConfigError: If the source cannot be read, or an id occurs twice.
        StoreError: If the store is away, or lets nobody read.
    """
    decided = frozenset(case_indexed_by(key, task) for key in store.keys(index_prefix(task)))
    labels, _ = labels_in(read_outcomes(store, task))
    cases, bad = read_texts(source, task=task, answer=answer, instructions=instructions)
    return Pool(labels, decided, [one for one in cases if one.id not in decided], bad)


def read_texts(source: Source, *, task: str, answer: Any = str, instructions: str = "") -> tuple[list[Case], int]:
    """The cases of a source that have a text, and how many lines have none.

    Raises:
        ConfigError: If the source cannot be read, or an id occurs twice.
    """
    cases: dict[str, Case] = {}
    bad = 0
    for read in read_cases(source, task=task, answer=answer, instructions=instructions):
        if isinstance(read, BadLine) or not text_of(read[1].messages):
            bad += 1
        elif read[1].id in cases:
            raise ConfigError(f"line {read[0]}: the id {read[1].id!r} occurs twice, and one case has one outcome")
        else:
            cases[read[1].id] = read[1]
    return list(cases.values()), bad
