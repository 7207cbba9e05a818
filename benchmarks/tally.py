"""What the stored outcomes add up to."""

from typing import Self

from pydantic import JsonValue

from benchmarks.exams import Trial, label_of
from benchmarks.running import Ran
from hitl_prefect.frozen import Frozen
from hitl_prefect.outcomes import Outcome
from hitl_prefect.shares import Share

__all__ = ["Tally", "problems_of"]


class Tally(Frozen):
    """The figures of one exam."""

    model: str
    cases: int
    outcomes: int
    machine: Share
    """The model alone is right: a valid reply with the right label."""
    reviewer: Share | None
    """The reviewer alone is right, on all cases; `None` where the reviewer was given the right labels."""
    together: Share
    """The final answer is right; a rejection is right where no label fits."""
    reviewed: Share
    accepted_wrong: Share
    """Wrong among those that no person saw."""
    misfits_accepted: Share
    """Accepted among those that no label fits."""
    invalid: int
    """Replies that are no answer of the type."""
    calls: int | None
    seconds: float

    @classmethod
    def of(cls, ran: Ran) -> Self:
        """Add up what an exam left in the store."""
        trials = {trial.id: trial for trial in ran.exam.trials}
        pairs = [(trials[one.case.id], one) for one in ran.outcomes]
        accepted = [(trial, one) for trial, one in pairs if one.decided_by == "model"]
        said = [(trial, label_of(trial.typed.get("answer"))) for trial, _ in pairs]
        return cls(
            model=ran.exam.model,
            cases=len(trials),
            outcomes=len(pairs),
            machine=Share.true(_machine_is_right(trial, one) for trial, one in pairs),
            reviewer=Share.true(trial.right == label for trial, label in said) if ran.exam.blind_reviewer else None,
            together=Share.true(_is_right(trial, one) for trial, one in pairs),
            reviewed=Share.true(one.review is not None for _, one in pairs),
            accepted_wrong=Share.true(not _is_right(trial, one) for trial, one in accepted),
            misfits_accepted=Share.true(one.decided_by == "model" for trial, one in pairs if trial.right is None),
            invalid=sum(one.generation.status != "ok" for _, one in pairs),
            calls=ran.calls,
            seconds=ran.seconds,
        )


def _machine_is_right(trial: Trial, outcome: Outcome[JsonValue]) -> bool:
    return outcome.generation.status == "ok" and label_of(outcome.generation.answer) == trial.right


def _is_right(trial: Trial, outcome: Outcome[JsonValue]) -> bool:
    return label_of(outcome.final_answer) == trial.right


def problems_of(tally: Tally) -> list[str]:
    """What must not be, in words: a case without its one outcome, a reply asked for twice or never."""
    problems = []
    if tally.outcomes != tally.cases:
        problems.append(f"{tally.model}: {tally.cases} cases left {tally.outcomes} outcomes in the store")
    if tally.calls not in (None, tally.cases):
        problems.append(f"{tally.model}: {tally.cases} cases made {tally.calls} calls to the model")
    return problems
