"""Reviews of cases that no model has answered: the form comes without a draft, and only a person's own answer ships."""

from datetime import UTC, datetime

from hitl_prefect.models import Attempt, Case, Generation, Route, Score

__all__ = ["NOBODY", "undrafted"]

NOBODY = "none"
"""The provider and the model where none was asked."""


def undrafted(case: Case, route: Route, *, why: str) -> Attempt:
    """What a person is asked about where there is no draft.

    Args:
        case: What is asked.
        route: To a person.
        why: Why there is none, in words for that person.
    """
    nothing = Generation(
        text="",
        status="invalid",
        problems=(why,),
        model=NOBODY,
        provider=NOBODY,
        prompt_sha256=case.prompt_sha256,
        created_at=datetime.now(UTC),
    )
    return Attempt(generation=nothing, score=Score(confidence=None, combined="not scored"), route=route)
