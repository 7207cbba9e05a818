"""What calibrating found: the bar in force for each kind of evidence, as data that is stored and pinned."""

from datetime import datetime
from typing import Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from hitl_prefect.evidence import Key
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Confidence, Promise, TaskName

__all__ = ["Calibrated", "Calibration"]


class Calibration(Frozen):
    """What is known of one task, model, prompt and scorer: whether there is a bar, and what it rests on."""

    task: TaskName
    model: str
    prompt: str
    """See `hitl_prefect.evidence.prompt_name`."""
    scorer: str
    """How the confidence is made, as in `Score.combined`."""
    promise: Promise
    status: Literal["ready", "cold", "drift"]
    """`ready`: there is a bar. `cold`: not enough labels yet. `drift`: there was one, and it keeps its promise no
    more."""
    bar: Confidence | None = None
    """At or above it a case is accepted; only where the status is `ready`."""
    labels: int = Field(ge=0)
    """Labels that were there when it was last looked for a bar."""
    needed: int = Field(default=0, ge=0)
    """How many more labels it takes at least until there can be a bar."""
    coverage: Confidence | None = None
    """The share of cases that the bar would accept, as far as the labels tell."""
    look: int = Field(ge=0)
    """How often it was looked for a bar; each look is given a smaller part of the probability of being wrong."""
    since: AwareDatetime | None = None
    """Labels from before are not used, since the machine has drifted; `None`: all are."""
    ready_at: AwareDatetime | None = None
    """Since when this bar is in force: what was decided after it is watched."""
    alarm: str = ""
    """What set off the alarm, where the status is `drift`."""
    made_at: AwareDatetime

    @model_validator(mode="after")
    def _a_bar_is_only_there_when_it_is_ready(self) -> Self:
        if (self.status == "ready") is (self.bar is None):
            raise ValueError(f"a calibration that is {self.status!r} does not fit the bar {self.bar}")
        return self

    @property
    def key(self) -> Key:
        """What it holds for."""
        return Key(self.task, self.model, self.prompt, self.scorer)

    def says_the_same(self, other: Self) -> bool:
        """Whether nothing but the time is different."""
        return self.model_copy(update={"made_at": other.made_at}) == other


class Calibrated(Frozen):
    """A version of what is in force for a task: every calibration of it, written once and never changed."""

    format: Literal["hitl.policy/v1"] = "hitl.policy/v1"
    task: TaskName
    number: int = Field(ge=1, le=999_999)
    previous: int | None = Field(default=None, ge=1)
    """The version before; `None` for the first."""
    calibrations: tuple[Calibration, ...]
    made_at: AwareDatetime

    def of(self, key: Key, promise: Promise) -> Calibration | None:
        """What holds for a key; one that was made for a stricter promise keeps this one as well.

        Of several the one with the least strict promise: it accepts the most.
        """
        fitting = [one for one in self.calibrations if one.key == key and one.promise.keeps(promise)]
        return max(fitting, key=lambda one: (one.promise.max_error, -one.promise.confidence_level), default=None)

    @classmethod
    def after(
        cls, previous: "Calibrated | None", task: str, calibrations: tuple[Calibration, ...], at: datetime
    ) -> "Calibrated":
        """The next version."""
        number = previous.number if previous else None
        return cls(task=task, number=(number or 0) + 1, previous=number, calibrations=calibrations, made_at=at)
