"""Measurements of the reviewing itself: which reviews begin with one, and with which draft."""

from typing import Literal

from hitl_prefect.canonical import sha256_of
from hitl_prefect.models import Case, Generation
from hitl_prefect.policy import Policy

__all__ = ["mistaken", "probe_for"]

_ALL = 16**12


def probe_for(case: Case, generation: Generation, policy: Policy) -> Literal["blind", "seeded"] | None:
    """The probe that the review of a draft begins with; the same for the same case, however often it is run."""
    if generation.attempt > 1 or generation.status != "ok":
        return None
    drawn = int(sha256_of(["probe", case.task, case.id])[:12], 16) / _ALL
    if drawn < policy.probes.blind:
        return "blind"
    seeded = drawn < policy.probes.blind + policy.probes.seeded
    return "seeded" if seeded and mistaken(case, generation) is not None else None


def mistaken(case: Case, generation: Generation) -> Generation | None:  # noqa: ARG001 - see below
    """The draft with one field made wrong on purpose; `None` where there is nothing to make wrong."""
    return None
