"""The bar that keeps a promise: at most `max_error` of what is accepted is wrong, with `confidence_level`.

Learn then Test: every threshold of a fixed grid is tested, the strict ones first, for an error rate above `max_error`,
and the bar is the most lenient threshold at which that is refuted. Thresholds are accepted with `>=`.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import pi

from hitl_prefect.binomial import chance_of_at_most, fewest_without_error
from hitl_prefect.errors import ConfigError
from hitl_prefect.labels import Count, Label, counts_from, labels_of

__all__ = ["GRID", "Bar", "Label", "find_bar", "is_due", "labels_of"]

GRID = tuple(
    sorted(
        {hundredth / 100 for hundredth in range(101)} | {round(1 - 10 ** (-tenth / 10), 12) for tenth in range(10, 61)}
    )
)
"""The thresholds: hundredths, and from 0.9 on ten to each decade of what is missing to 1, down to a millionth.

They are fixed before any label is seen: a grid of the labels' own quantiles would be chosen by what it is to test. They
are this dense near 1 since token probabilities crowd there: with four decades, and 1,000 labels of the recorded answers
of gpt-4-turbo to MMLU, no bar is found at all at `max_error=0.05`, where six decades accept half of the cases.
"""

_ONE_START_UP_TO = 50
"""Up to so many expected errors (labels times `max_error`) one start finds more; beyond it five do. Measured."""
_SHARES = (0.5, 0.125, 0.125, 0.125, 0.125)
_FIRST_LOOK = 100
"""Labels; fewer would spend the first look on next to no chance of a bar."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What the labels allow."""

    bar: float | None
    """Accept at or above it; `None` where no bar keeps the promise yet, so that a person sees every case."""
    labels: int
    """Labels that speak for it: those at or above the bar, thinned; without a bar, the most that any threshold had."""
    errors: int
    """The wrong ones among them."""
    coverage: float
    """The share of all given cases at or above the bar, in [0, 1]; 0 without one."""
    needed: int
    """How many further labels it takes at least until there is one: so many if all are right, and surer than all
    before; 0 with a bar."""
    starts: tuple[float, ...]
    """The thresholds at which testing began; empty with too few labels for any."""


def find_bar(labels: Iterable[Label], *, max_error: float, confidence_level: float = 0.9, look: int | None = 1) -> Bar:
    """The most lenient threshold of the grid whose error rate is provably at most `max_error`.

    With a probability of at least `confidence_level` over the labels, the error rate of all cases at or above the bar
    is at most `max_error`, as long as cases come as they came. The test is the exact binomial one, on labels thinned to
    a fair sample at each threshold (`counts_from`). All thresholds share delta = 1 - `confidence_level`: testing goes
    from strict to lenient, each refuted threshold hands what it was allowed on to the next, and the first that stands
    ends the chain. Of thresholds with the same labels the strictest is taken.

    With few labels there is one start, at the strictest threshold with as many labels as a test without errors takes;
    with many, four more with an eighth of delta each lie between it and the most lenient, so that an early misfortune
    does not end all. How many is settled by the number of labels, and where by their confidences, never by what was
    right. The proof is exact where surer cases are no more often wrong than less sure ones; elsewhere it is simulated.

    Looking again, as labels come in, would break the promise in the end if each look had all of delta. Look k has
    delta * 6 / (pi² k²), which is delta over all looks for ever; so a bar that any look found may be kept. Look seldom
    (`is_due`): the tenth look has a hundredth of the first one's share.

    Args:
        labels: Of one evidence key (`labels_of`); with the cases that nobody looked at, which tell the propensities.
        max_error: The error rate among accepted cases to keep to, in (0, 1).
        confidence_level: In (0, 1).
        look: Which look at these labels, as they grow, this is: 1, 2, ...; `None` for the only one there will ever be.

    Raises:
        ConfigError: If a number is out of its range.

    Source:
        Angelopoulos, Bates, Candès, Jordan, Lei (2025), Annals of Applied Statistics 19, arXiv 2110.01052 (Learn then
        Test); Wiens, Dmitrienko (2005), Journal of Biopharmaceutical Statistics 15 (handing delta on).

    >>> find_bar([Label(0.9, True, 1.0, "v1", str(case)) for case in range(60)], max_error=0.05).bar
    0.9
    >>> find_bar([Label(0.9, True, 1.0, "v1", str(case)) for case in range(30)], max_error=0.05).needed
    25
    """
    delta = _delta(max_error, confidence_level, look)
    cases = list(labels)
    counts = counts_from(cases, GRID)
    allowed = _allowed(counts, max_error, delta)
    best = _most_lenient(counts, allowed, max_error)
    starts = tuple(counts[place].threshold for place in sorted(allowed))
    if best is None:
        most = max(counts, key=lambda count: count.labels)
        needed = _needed(counts, max_error, delta)
        return Bar(None, most.labels, most.errors, coverage=0.0, needed=needed, starts=starts)
    above = sum(case.confidence >= best.threshold for case in cases)
    return Bar(best.threshold, best.labels, best.errors, coverage=above / len(cases), needed=0, starts=starts)


def is_due(labels: int, *, last: int) -> bool:
    """Whether a further look is worth its share of delta: at 100 labels, and whenever they have doubled.

    Args:
        labels: How many there are.
        last: How many there were at the last look; 0 before the first.

    >>> is_due(80, last=0), is_due(120, last=0), is_due(200, last=120), is_due(240, last=120)
    (False, True, False, True)
    """
    return labels >= max(_FIRST_LOOK, 2 * last)


def _delta(max_error: float, confidence_level: float, look: int | None) -> float:
    if not 0 < max_error < 1 or not 0 < confidence_level < 1:
        raise ConfigError(f"max_error={max_error}, confidence_level={confidence_level}: give two numbers in (0, 1)")
    if look is None:
        return 1 - confidence_level
    if look < 1:
        raise ConfigError(f"look={look}: looks at the same labels are counted from 1; None is for one look only")
    return (1 - confidence_level) * 6 / (pi * look) ** 2


def _allowed(counts: Sequence[Count], max_error: float, delta: float) -> dict[int, float]:
    """What each start is allowed of delta, by its place in the grid; two that fall together add up."""
    most = max(count.labels for count in counts)
    shares = (1.0,) if most * max_error <= _ONE_START_UP_TO else _SHARES
    fewest = fewest_without_error(max_error, delta * shares[0])
    found: dict[int, float] = {}
    for number, share in enumerate(shares):
        enough = fewest + number * (most - fewest) / len(shares)
        place = next((place for place, count in enumerate(counts) if count.labels >= enough), None)
        if place is not None:
            found[place] = found.get(place, 0.0) + share * delta
    return found


def _most_lenient(counts: Sequence[Count], allowed: dict[int, float], max_error: float) -> Count | None:
    """The last threshold that is refuted; what one was allowed goes on to the next, and is lost where one stands.

    Of thresholds with the same labels the strictest: nobody has seen a case between them.
    """
    best, delta = None, 0.0
    for place, count in enumerate(counts):
        delta += allowed.get(place, 0.0)
        if not delta or chance_of_at_most(count.errors, count.labels, max_error) > delta:
            delta = 0.0
        elif best is None or (best.labels, best.errors) != (count.labels, count.errors):
            best = count
    return best


def _needed(counts: Sequence[Count], max_error: float, delta: float) -> int:
    """The least number of further labels without an error that would give a bar."""

    def is_enough(further: int) -> bool:
        more = [Count(count.threshold, count.labels + further, count.errors) for count in counts]
        return _most_lenient(more, _allowed(more, max_error, delta), max_error) is not None

    # Fewer than these are too few anywhere, even without an error.
    too_few = max(0, fewest_without_error(max_error, delta) - max(count.labels for count in counts) - 1)
    step = 1
    # Where the surest cases of all are often wrong it takes tens of thousands: one by one that would be minutes.
    while not is_enough(too_few + step):
        too_few, step = too_few + step, 2 * step
    return too_few + 1 + bisect_left(range(too_few + 1, too_few + step), True, key=is_enough)
