"""All that a form is made of: the case, the draft, why and whom it asks, and what went before."""

from pydantic import AwareDatetime, JsonValue

from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Case, Generation, Route, Score
from hitl_prefect.outcomes import DECIDERS, Probe, Verdict
from hitl_prefect.panel import Ask
from hitl_prefect.policy import Policy

__all__ = ["Brief"]


class Brief(Frozen):
    """What somebody is asked."""

    case: Case
    generation: Generation
    """The draft as it is shown; for the role `seeded` the one that was made wrong."""
    score: Score
    route: Route
    policy: Policy
    ask: Ask = Ask()
    errors: tuple[str, ...] = ()
    """What was wrong with the last answer, when asking again."""
    typed: JsonValue = None
    """The last answer as it was submitted, all of it."""
    fill_again: bool = True
    """Whether the form is filled with the last answer; not where that repeats an exercise."""
    deadline_at: AwareDatetime | None = None
    """When the policy's deadline applies."""
    told: tuple[Verdict, ...] = ()
    """What others said of this draft, where whoever is asked may see it: a tie-breaker, or whom it was handed to."""
    proposal: JsonValue = None
    """What a tie-breaker's form is filled with instead of the draft."""
    probe: Probe | None = None
    """The measurement that this review began with, to be told about afterwards."""
    earlier: Generation | None = None
    """The attempt before."""
    group: tuple[str, ...] = ()
    """The cases that this form answers, where it answers several: `case` and all whose drafts say the same."""
    round_id: str = ""
    """Names this one time of asking, so that a signature for one never serves another."""

    @property
    def shows_draft(self) -> bool:
        """Whether the draft is shown and may be approved."""
        return self.ask.role != "blind"

    @property
    def is_independent(self) -> bool:
        """Whether others answer too, who must see nothing of what is typed here, not even where it did not apply."""
        several = self.policy.quorum > 1 or self.policy.second_opinion is not None
        return several and self.ask.role not in DECIDERS

    @property
    def shown_again(self) -> JsonValue:
        """What was typed the last time, where whoever is asked may see it."""
        return None if self.is_independent else self.typed

    @property
    def filled_with(self) -> JsonValue:
        """The answer that the form begins with; `None`: an empty one."""
        if not self.shows_draft:
            return None
        return self.generation.answer if self.proposal is None else self.proposal
