"""Several people in one flow run: who is asked, what is merged, who dissented."""

import json

import pytest

from tests.prefect.flows.invoices import extract_invoice

DRAFT = {"vendor": "ACME", "total": 12.5, "notes": {}}
TWO = {"quorum": 2, "reviewers": ["ada", "bob", "eve"]}


@pytest.fixture
def waiting(resident, document):
    """A run that waits for the first of two people."""
    return resident.start(extract_invoice, document=document, policy=TWO, model=resident.drafting(DRAFT))


def test_two_who_agree_decide(resident, waiting):
    """The first answer alone decides nothing; the second is asked without being told of it."""
    resident.answer(waiting, decision="approve", reviewer="ada")
    after_one = resident.go_on(waiting)
    offered = resident.form(waiting)["properties"]["reviewer"]["enum"]
    resident.answer(waiting, decision="approve", reviewer="bob")
    resident.go_on(waiting)

    (outcome,) = resident.outcomes(waiting)
    assert (after_one, offered) == ("Suspended", ["bob", "eve"])
    assert (outcome["decided_by"], outcome["decision"], outcome["final_answer"]) == ("quorum", "approve", DRAFT)
    assert json.dumps(outcome["review"]["settled"]["dissent"]) == "[]"
