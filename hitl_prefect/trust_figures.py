"""The figures of how far machines can be trusted, as `hitl report --json` prints them."""

from datetime import date

from hitl_prefect.estimates import ErrorRate
from hitl_prefect.evidence import Key
from hitl_prefect.frozen import Frozen
from hitl_prefect.reading import Unreadable
from hitl_prefect.shares import Share

__all__ = ["Bin", "KeyRow", "Point", "TaskTrust", "TrustReport", "Week"]


class Point(Frozen):
    """What one bar would do, by the labels that there are."""

    bar: float
    coverage: float
    """Share of all cases with a confidence that it accepts, in [0, 1]."""
    risk: ErrorRate | None
    """The error rate among those; `None` where nobody looked at any of them."""


class Bin(Frozen):
    """Cases of about the same confidence."""

    low: float
    high: float
    confidence: float
    """Their mean."""
    error: ErrorRate
    """How many of them are wrong; a calibrated confidence has 1 - confidence."""


class Week(Frozen):
    """What happened in a week (UTC)."""

    monday: date
    outcomes: int
    reviewed: Share
    """Sent to a person, audits included."""
    escaped: ErrorRate | None
    """The error rate of what is accepted; `None` where no audit was answered."""
    overridden: Share
    """First drafts that people did not let ship, among those that they decided about."""
    cost_usd: float
    """Of the cases whose cost is known."""


class KeyRow(Frozen):
    """A model with a prompt and a scorer; evidence holds for one of them alone."""

    model: str
    prompt: str
    scorer: str
    outcomes: int
    labels: int
    bar: float | None
    """The last one in force."""
    calibration_error: float | None
    """The mean gap between confidence and share of right drafts, in ten bins; `None` where nobody knows."""
    escaped: ErrorRate | None


class TaskTrust(Frozen):
    """How far the machine of one task can be trusted."""

    task: str
    outcomes: int
    first: date
    last: date
    accepted: Share
    """Decided by the model alone: as many reviews were avoided."""
    escaped: ErrorRate | None
    """The error rate of what is accepted; `None` where no audit was answered."""
    overridden: Share
    cost_usd: float
    cost_unknown: int
    """Cases whose cost nobody knows."""
    keys: tuple[KeyRow, ...]
    """The newest first."""
    shown: Key
    """The key that most cases of the last seven days have: curve and reliability are of it alone."""
    curve: tuple[Point, ...]
    """From the strictest bar to none."""
    in_force: Point | None
    """What its last bar does; `None` where it has none."""
    reliability: tuple[Bin, ...]
    weeks: tuple[Week, ...]


class TrustReport(Frozen):
    """How far the machines of a store can be trusted."""

    outcomes: int
    tasks: tuple[TaskTrust, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    forgotten: int = 0
    """Cases that were forgotten on request, and are in none of the figures."""
