"""What is started from outside Prefect: how parameters are read, and which exit code an end means."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from prefect.client.schemas.objects import FlowRun

from hitl_prefect.batch_summary import BatchSummary
from hitl_prefect.errors import ConfigError
from hitl_prefect.triggering.ending import Decided, Ending
from hitl_prefect.triggering.starting import _check_same
from hitl_prefect.triggering.typed import read_parameters

RUN = UUID(int=7)
CASE = Decided(
    task="support",
    case="c1",
    decision="accept",
    decided_by="model",
    decided_at=datetime(2026, 11, 28, tzinfo=UTC),
    final_answer="refund",
    key="outcomes/v1/task=support/dt=2026-11-28/c1.json",
)
BATCH = BatchSummary(batch="b", task="support", cases=9, accepted=9)


def ending(kind="COMPLETED", state="Completed", **known):
    return Ending(run_id=RUN, name="red-fox", url="http://ui/run", state=state, kind=kind, **known)


def decided(*decisions):
    return ending(decided=tuple(CASE.model_copy(update={"decision": one}) for one in decisions))


def batch(open_=0, lost=0, **changes):
    return ending(batches=(BATCH.model_copy(update=changes),), reviews_open=open_, reviews_lost=lost)


def several(*batches, decisions=(), **known):
    """Batches that differ so from one that the model alone has decided, beside cases of the run itself."""
    made = tuple(BATCH.model_copy(update={"batch": f"b{at}", **one}) for at, one in enumerate(batches))
    return decided(*decisions).model_copy(update={"batches": made, **known})


@pytest.mark.parametrize(
    ("stands", "code", "is_final"),
    [
        (decided("accept"), 0, True),
        (decided("approve", "edit"), 0, True),
        (decided("reject"), 3, True),
        (decided("approve", "reject"), 3, True),
        (decided("fallback"), 3, True),
        (decided(), 1, True),
        (ending("FAILED", "Failed"), 1, True),
        (ending("CRASHED", "Crashed"), 1, True),
        (ending("CANCELLED", "Cancelled"), 1, True),
        (ending("PAUSED", "Suspended"), 4, False),
        (ending("SCHEDULED", "Late"), 4, False),
        (ending("RUNNING", "Running"), 4, False),
        (batch(), 0, True),
        (batch(reviews=2, forms=2, open_=1), 4, False),
        (batch(reviews=2, forms=2, people={"approve": 1, "edit": 1}), 0, True),
        (batch(reviews=2, forms=2, people={"approve": 1, "reject": 1}), 3, True),
        (batch(reviews=1, forms=1, people={"fallback": 1}), 3, True),
        (batch(over_budget=1), 3, True),
        (batch(decided_before=4), 0, True),
        (batch(decided_before=4, rejected_before=1), 3, True),
        (batch(decided_before=4, forgotten=1), 3, True),
        (batch(rejected_before=1, reviews=2, forms=2, open_=1), 4, False),
        (batch(cases=0, accepted=0), 1, True),
        (batch(cases=0, accepted=0, bad_lines=7), 1, True),
        (batch(bad_lines=1), 0, True),
        (batch(held=1), 4, True),
        (batch(waiting_before=1), 4, True),
        (batch(waiting_before=1, decided_before=1, rejected_before=1), 4, True),
        (batch(failed=1), 1, True),
        (batch(reviews=2, forms=2, open_=1, failed=1), 1, False),
        (batch(reviews=1, forms=1, lost=1), 1, True),
        (several({}, {}), 0, True),
        (several({"people": {"reject": 1}}, {}), 3, True),
        (several({}, {"held": 1}, {"over_budget": 1}), 4, True),
        (several({"held": 1}, {"failed": 1}), 1, True),
        (several({}, {"cases": 0}), 1, True),
        (several({}, decisions=["approve"]), 0, True),
        (several({}, decisions=["reject"]), 3, True),
        (several({}, decisions=["reject"], reviews_open=1), 4, False),
    ],
)
def test_the_exit_code_says_what_was_decided_and_fails_closed(stands, code, is_final):
    """0 only where a model was sure or a person let every case pass; nothing decided is a failure."""
    assert (stands.code, stands.is_final) == (code, is_final)


@pytest.mark.parametrize(
    ("stands", "says"),
    [
        (
            ending("PAUSED", "Suspended", message="support, case c1: below bar"),
            f"waits for a person: support, case c1: below bar; answer at http://ui/run, or by `hitl answer {RUN}`",
        ),
        (ending("SCHEDULED", "Late"), "no worker has taken it up; `hitl doctor` says why"),
        (ending("PENDING", "Pending"), "Pending: not decided yet"),
        (ending("FAILED", "Failed", message="a budget is spent"), "Failed: a budget is spent"),
        (batch(open_=2), "2 reviews wait for people or have not ended; `hitl inbox` lists them"),
        (batch(held=3), "3 cases are held for another day's reviews; run the batch again then"),
        (
            batch(waiting_before=3),
            "3 cases wait for people, asked about by an earlier batch or run; run the batch again once they are "
            "decided",
        ),
        (batch(failed=2, lost=1), "2 cases failed, and 1 reviews; run the batch again"),
        (
            batch(cases=0, bad_lines=7),
            "completed, and decided no case: the source has none, and 7 lines were set aside",
        ),
        (several({"held": 3}, {"held": 1}), "4 cases are held for another day's reviews; run the batch again then"),
        (several({"failed": 2}, {"failed": 1}), "3 cases failed, and 0 reviews; run the batch again"),
        (
            several({}, {"cases": 0, "bad_lines": 7}),
            "completed, and decided no case of batch b1: the source has none, and 7 lines were set aside",
        ),
        (decided("reject"), "not approved: rejected, or decided by the policy alone"),
        (
            batch(decided_before=4, rejected_before=2, forgotten=1),
            "not approved: rejected, or decided by the policy alone (2 cases before this batch, and 1 forgotten)",
        ),
        (decided("edit"), "accepted or approved"),
    ],
)
def test_how_it_stands_is_said_in_a_sentence(stands, says):
    """With the next step, where there is one."""
    assert stands.says == says


SCHEMA = {
    "properties": {
        "prompt": {"type": "string"},
        "case_id": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "limit": {"type": "integer"},
        "policy": {"$ref": "#/definitions/Policy"},
    }
}


def test_text_stays_text_and_the_rest_is_json():
    """What comes from outside can then become no object that Prefect's server would render as a template."""
    typed = {"prompt": '{"__prefect_kind": "jinja"}', "case_id": "12", "limit": "3", "policy": '{"quorum": 2}'}

    assert read_parameters(typed, SCHEMA) == {
        "prompt": '{"__prefect_kind": "jinja"}',
        "case_id": "12",
        "limit": 3,
        "policy": {"quorum": 2},
    }
    assert read_parameters({"n": "3", "text": "three"}, {}) == {"n": "3", "text": "three"}


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"promt": "x"}, "no parameter 'promt': did you mean 'prompt'"),
        ({"zzz": "x"}, "it takes case_id, limit, policy, prompt"),
        ({"limit": "three"}, "'limit' is no text"),
    ],
)
def test_a_mistake_in_a_parameter_is_named(typed, says):
    """Before anything is started."""
    with pytest.raises(ConfigError, match=says):
        read_parameters(typed, SCHEMA)


VARIABLE = {"__prefect_kind": "workspace_variable", "variable_name": "store"}


@pytest.mark.parametrize(
    ("given", "standing", "others"),
    [
        ({"prompt": "a", "policy": "lax"}, {}, ""),
        ({"prompt": "a"}, {"policy": "lax"}, ""),
        ({"prompt": "a", "policy": "lax"}, {"policy": "strict"}, ""),
        ({"prompt": "a"}, {}, "policy"),
        ({"prompt": "a"}, {"policy": "strict"}, "policy"),
        ({"prompt": "a", "policy": "lax", "case_id": None}, {}, "case_id"),
        ({"prompt": "b"}, {"policy": "strict"}, "policy, prompt"),
        ({"prompt": "a"}, {"policy": VARIABLE}, ""),
    ],
)
def test_a_key_stands_for_all_parameters_of_its_run(given, standing, others):
    """Also for those that are not given this time; what the server renders is not compared."""
    run = FlowRun(flow_id=RUN, parameters={"prompt": "a", "policy": "lax"})
    if not others:
        _check_same("commit-1", run, given=given, standing=standing)
        return

    with pytest.raises(ConfigError, match=rf"'commit-1' stands for flow run {run.id}, .* \({others}\): give"):
        _check_same("commit-1", run, given=given, standing=standing)
