"""What came back from a form, made a verdict: or an answer that does not apply, with the reasons."""

from datetime import datetime

from hitl_prefect.bounds import out_of_bounds, within_bounds
from hitl_prefect.desk import Round, Typed
from hitl_prefect.errors import AnswerRefused
from hitl_prefect.form_reading import FormAnswer, read_form
from hitl_prefect.outcomes import RefusedAnswer, Verdict
from hitl_prefect.panel import Sitting
from hitl_prefect.signatures import check_signature, statement_typed
from hitl_prefect.signing import Statement
from hitl_prefect.stakes import believed

__all__ = ["hear"]


def hear(asked: Round, typed: Typed, sitting: Sitting) -> Verdict | RefusedAnswer:
    """Read what somebody typed, as the form, the answer type, the policy and the earlier answers allow it."""
    repeated = _repeated_exercise(typed, sitting) if asked.ask.role not in ("blind", "seeded") else ()
    # A seeded draft never ships, so that it only matters which one was shown; that is recorded with the round.
    if asked.ask.role != "seeded" and asked.form.draft_sha256 != sitting.generation.sha256:
        return _refused(asked, typed, ("the draft is no longer the one that was shown",))
    try:
        verdict = _verdict(asked, read_form(asked.form, sitting.case, typed.data), typed.at)
        check_signature(verdict, _submitted(asked, typed, sitting), sitting.policy)
    except AnswerRefused as exc:
        return _refused(asked, typed, (*exc.errors, *repeated))
    objection = sitting.objection(verdict)
    errors = (objection,) if objection else repeated
    return _refused(asked, typed, errors) if errors else verdict


def _repeated_exercise(typed: Typed, sitting: Sitting) -> tuple[str, ...]:
    """Why an answer that says what an exercise made wrong does not count at once.

    A browser does not name the round: it may come from the form of the exercise, left open while another answered.
    """
    ships = typed.data.get("decision") in ("approve", "edit")
    if not ships or "round" in typed.data or out_of_bounds(typed.data):
        return ()
    return tuple(filter(None, [sitting.repeated_exercise(typed.data.get("answer"))]))


def _submitted(asked: Round, typed: Typed, sitting: Sitting) -> Statement:
    """What a signature of this very submission would be over."""
    return statement_typed(typed.data, asked.form, task=sitting.case.task, case=sitting.case.id)


def _verdict(asked: Round, answer: FormAnswer, at: datetime) -> Verdict:
    return Verdict(
        **{**answer.model_dump(), "seen_at": believed(answer.seen_at, asked.opened_at, at)},
        attempt=asked.attempt,
        draft_sha256=asked.form.draft_sha256,
        form_sha256=asked.form.sha256,
        opened_at=asked.opened_at,
        decided_at=at,
        role=asked.ask.role,
    )


def _refused(asked: Round, typed: Typed, errors: tuple[str, ...]) -> RefusedAnswer:
    """An answer that does not apply; what is too much of it is cut, and stays whole where Prefect keeps it."""
    if out_of_bounds(typed.data):
        errors = (*errors, f"all that was typed stays in this flow run's input {asked.response_key}")
    return RefusedAnswer(
        errors=errors, typed=within_bounds(typed.data), form_sha256=asked.form.sha256, decided_at=typed.at
    )
