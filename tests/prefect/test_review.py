"""From the draft to the stored outcome, with a person in the middle, in a deployment."""

from tests.wire.loopback import LoopbackAI

DRAFT = '{"vendor": "ACME", "total": 12.5, "notes": {}, "confidence": 0.6}'
CAREFUL = {"min_confidence": 0.9}


def test_an_unsure_draft_waits_and_the_edit_ships(new_site):
    """The flow suspends, a person edits, the outcome holds both answers; the model is asked once."""
    with LoopbackAI(DRAFT) as ai:
        site = new_site(**ai.env)
        run = site.start(
            site.deploy("invoices.py:extract_invoice"), document="ACME, 125", model="openai:gpt-5-mini", policy=CAREFUL
        )
        site.wait(run, "Suspended")
        said = site.answer(run, decision="edit", answer={"vendor": "ACME", "total": 125, "notes": {}}, reviewer="ada")
        site.wait(run, "Completed")

    (outcome,) = site.outcomes()
    assert said["status"] == "ACCEPT"
    assert outcome["final_answer"] == {"vendor": "ACME", "total": 125.0, "notes": {}}
    assert outcome["generation"]["answer"] == {"vendor": "ACME", "total": 12.5, "notes": {}}
    assert (outcome["decision"], outcome["decided_by"]) == ("edit", "human")
    assert len(ai.requests) == 1
