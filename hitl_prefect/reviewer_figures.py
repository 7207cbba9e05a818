"""The figures about reviewers, as `hitl reviewers --json` prints them."""

from hitl_prefect.agreement import Agreement
from hitl_prefect.frozen import Frozen
from hitl_prefect.reading import Unreadable
from hitl_prefect.shares import Gap, Share

__all__ = ["FieldAgreement", "Median", "ReviewerReport", "ReviewerRow", "TaskRow"]


class Median(Frozen):
    """The middle of some durations."""

    seconds: float | None
    """`None` of none."""
    of: int


class ReviewerRow(Frozen):
    """What one person did on one task."""

    reviewer: str
    """As they typed it first; empty where no name was given."""
    task: str
    verdicts: int
    """All that they said of drafts, probes not among them."""
    overridden: Share
    """Edits and rejections among approvals, edits and rejections."""
    agreed: Share
    """How often another person who answered the same draft wants the very same to ship."""
    kappa: Agreement
    """The same beyond chance: Cohen's, of this person against all others pooled."""
    caught: Share
    """Seeded drafts whose mistake they did not let pass, among those that the case's final answer proves wrong."""
    caught_between: tuple[float, float]
    """The 95% interval (Wilson) of `caught`."""
    unproven: int
    """Seeded drafts that are not counted: nothing shipped in the end, or the final answer says the same."""
    blind: Share
    """Answers without a draft that differ from the draft that they did not see."""
    in_view: Share
    """Drafts overridden with the draft in view: first attempts, of cases without a probe, by untold people."""
    anchoring: Gap | None
    """`blind` minus `in_view`: how many points fewer differ from the draft once it is in view."""
    seen: Median
    """From when the form was shown to the answer, where the door tells; bulk answers are left out."""
    since_opened: Median
    """From when the form was opened to the answer, for the others: waiting included."""
    too_fast: Share
    """Answered sooner than prompt and draft can be read, or in bulk; see `hitl_prefect.stakes.too_fast`."""
    bulk: Share
    """Given for many cases at once."""


class FieldAgreement(Frozen):
    """How far people agree about one field of the answer."""

    field: str
    same: Share
    """Pairs of people who want the same."""
    alpha: Agreement
    """Krippendorff's."""


class TaskRow(Frozen):
    """How far people agree about a task, where several answered the same draft untold."""

    task: str
    same: Share
    """Pairs of people who want the very same to ship."""
    alpha: Agreement
    """Krippendorff's, nominal."""
    fields: tuple[FieldAgreement, ...] = ()
    """By top-level field, where all of them let an object ship; the least agreed first."""


class ReviewerReport(Frozen):
    """The reviewing, in figures."""

    outcomes: int
    by_model: int
    """Decided without anybody being asked."""
    by_people: int
    by_deadline: int
    by_policy: int = 0
    """Over the policy's `max_reviews_per_day`."""
    unreadable: tuple[Unreadable, ...] = ()
    """Objects among the outcomes that are none."""
    reviewers: tuple[ReviewerRow, ...] = ()
    tasks: tuple[TaskRow, ...] = ()
