"""Everything that a store knows of how far its machines can be trusted."""

from dataclasses import dataclass, field

from hitl_prefect.evidence import Evidence, evidence_of
from hitl_prefect.protocols import Store
from hitl_prefect.reading import Unreadable, read_outcomes

__all__ = ["Gathered", "gather"]


@dataclass
class Gathered:
    """What was read of a store."""

    evidence: list[Evidence] = field(default_factory=list)
    """In the order of the keys: by task, day and case."""
    unreadable: list[Unreadable] = field(default_factory=list)


def gather(store: Store, task: str | None = None) -> Gathered:
    """Read the evidence of every outcome; an object that cannot be read is named, and reading goes on.

    Args:
        store: Where the outcomes are.
        task: Only those of one task.

    Raises:
        StoreUnavailable: If the store is down.
        StoreDenied: If nothing may be listed there.
    """
    gathered = Gathered()
    for one in read_outcomes(store, task):
        if isinstance(one, Unreadable):
            gathered.unreadable.append(one)
        else:
            gathered.evidence.append(evidence_of(one))
    return gathered
