"""What calibrating did, as a table for people."""

from collections.abc import Iterator

from hitl_prefect.calibrations import Calibrated, Calibration
from hitl_prefect.frozen import Frozen
from hitl_prefect.inert import visible
from hitl_prefect.reading import Unreadable

__all__ = ["Calibrating", "TaskBars", "headlines", "rows"]


class TaskBars(Frozen):
    """What is in force for a task."""

    calibrated: Calibrated
    replaces: Calibrated | None = None
    """The version before; the same where nothing has changed."""
    is_new: bool
    """Whether it is a new version, or would be one."""

    @property
    def alarms(self) -> tuple[Calibration, ...]:
        """The calibrations with an alarm that the version before did not have."""
        known = {(one.key, one.promise, one.alarm) for one in self.replaces.calibrations} if self.replaces else set()
        return tuple(
            one for one in self.calibrated.calibrations if one.alarm and (one.key, one.promise, one.alarm) not in known
        )


class Calibrating(Frozen):
    """What was found in a store."""

    tasks: tuple[TaskBars, ...] = ()
    """Those of which a policy promises something."""
    unreadable: tuple[Unreadable, ...] = ()
    """Objects among the outcomes that are none."""


def headlines(found: Calibrating, *, dry_run: bool = False) -> Iterator[str]:
    """One line per task, and one about what could not be read."""
    for one in found.tasks:
        new = "would be new" if dry_run else "new"
        yield f"{one.calibrated.task}: version {one.calibrated.number}, {new if one.is_new else 'as before'}"
    if found.unreadable:
        yield f"{len(found.unreadable):,} objects could not be read, the first being {visible(found.unreadable[0].key)}"


def rows(found: Calibrating) -> list[dict[str, str]]:
    """One row per task, model, prompt, scorer and promise; names are written so that they can do nothing."""
    return [_row(one) for task in found.tasks for one in task.calibrated.calibrations]


def _row(one: Calibration) -> dict[str, str]:
    """A bar near 1 is told to as many digits as it has: 0.9999 and 1 accept different cases.

    >>> f"{0.9999369:g}", f"{0.5:g}"
    ('0.999937', '0.5')
    """
    return {
        "task": one.task,
        "model": visible(one.model),
        "prompt": visible(one.prompt),
        "scorer": visible(one.scorer),
        "promise": f"{one.promise.max_error:.3g} at {one.promise.confidence_level:.3g}",
        "status": one.status,
        "bar": "-" if one.bar is None else f"{one.bar:g}",
        "accepts": "-" if one.coverage is None else f"{one.coverage:.0%}",
        "labels": f"{one.labels:,}",
        "needs": f"{one.needed:,} more" if one.needed else "-",
        "alarm": visible(one.alarm) or "-",
    }
