"""`hitl verify`: what was changed in a store after it was decided is found."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hitl_prefect.calibrations import Calibrated
from hitl_prefect.canonical import canonical_bytes, sha256_of
from hitl_prefect.cli import app, main
from hitl_prefect.merging import settled_by
from hitl_prefect.models import Attempt
from hitl_prefect.outcomes import IndexEntry, Outcome, Review, Settlement, index_key, outcome_key
from hitl_prefect.policy import Policy
from hitl_prefect.policy_versions import put_next
from hitl_prefect.routing import route
from hitl_prefect.signatures import statement_of
from hitl_prefect.signing import public_key_of, sign_verdict
from hitl_prefect.stores.folder import FolderStore
from hitl_prefect.verifying import Verification, verify_store
from tests.unit.making import NOON, a_case, a_generation, a_review, a_route, a_score, a_verdict, an_outcome
from tests.unit.test_policy_versions import FOUND
from tests.unit.test_signing import ADA, POLICY

EVE, SUE = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
IN_FORCE = FOUND.model_copy(update={"bar": 0.8})
KNOWN = {POLICY.version: POLICY}
TO_A_PERSON = a_route(action="review", reason="below_bar", propensity=1, policy_version=POLICY.version)


def signed(**changes: Any) -> Any:
    verdict = a_verdict(**changes)
    signature = sign_verdict(ADA, statement_of(verdict, task="invoices", case="c1"))
    return verdict.model_copy(update={"signature": signature})


def reviewed(verdict: Any, **changes: Any) -> Outcome[Any]:
    facts = {"decision": verdict.decision, "final_answer": verdict.answer, "decided_by": "human"}
    return an_outcome(**{"route": TO_A_PERSON, "review": a_review(verdict), **facts, **changes})


def put(store: FolderStore, outcome: Outcome[Any]) -> str:
    """As `save_outcome` does; returns the key."""
    entry = IndexEntry(key=outcome_key(outcome), sha256=sha256_of(outcome))
    store.put_once(index_key(outcome.case.task, outcome.case.id), canonical_bytes(entry))
    store.put_once(entry.key, outcome.stored)
    return entry.key


def change(store: FolderStore, key: str, *path: str | int, to: Any, index_too: bool = False) -> None:
    """What somebody with write access does, who may also write the index anew."""
    stored = json.loads(store.get(key))
    place = stored
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    body = canonical_bytes(stored)
    (store.root / key).write_bytes(body)
    if index_too:
        entry = IndexEntry(key=key, sha256=sha256_of(stored))
        (store.root / index_key("invoices", "c1")).write_bytes(canonical_bytes(entry))


def problems(store: FolderStore, policies: Any = KNOWN) -> list[str]:
    return [one.problem for one in verify_store(store, policies).findings]


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "outcomes")


@pytest.mark.parametrize(
    "outcome",
    [
        reviewed(signed()),
        reviewed(signed(decision="edit", answer={"total": 13})),
        reviewed(signed(decision="reject", answer=None)),
    ],
    ids=["approved", "edited", "rejected"],
)
def test_what_was_decided_and_signed_has_no_finding(store, outcome):
    """Nor has it without a policy; then its signature is said to be unchecked."""
    put(store, outcome)

    assert verify_store(store, KNOWN) == Verification(outcomes=1, signatures=1, unchecked=0)
    assert verify_store(store, {}) == Verification(outcomes=1, signatures=0, unchecked=1)


def test_an_outcome_of_the_model_alone_has_no_finding(store):
    """There is nobody who could have signed it."""
    sure = Policy(min_confidence=0.7)
    put(store, an_outcome(route=a_route(policy_version=sure.version)))

    assert verify_store(store, {sure.version: sure}) == Verification(outcomes=1, signatures=0, unchecked=0)


VERDICT = ("review", "verdicts", 0)


@pytest.mark.parametrize(
    ("path", "to", "says"),
    [
        (("final_answer",), {"total": 99}, "its final answer is not what its review settled"),
        (("review", "settled", "answer"), {"total": 99}, "its verdicts do not lead to what it says was settled"),
        ((*VERDICT, "answer"), {"total": 99}, "has a signature that is not theirs"),
        ((*VERDICT, "reason"), "bribed", "has a signature that is not theirs"),
        ((*VERDICT, "reviewer"), "bob", "has a signature that is not theirs"),
        ((*VERDICT, "form_sha256"), "0" * 64, "has a signature that is not theirs"),
        ((*VERDICT, "draft_sha256"), "0" * 64, "is about a draft that is not among its attempts"),
        ((*VERDICT, "decision"), "reject", "has a signature that is not theirs"),
        ((*VERDICT, "signature"), None, "lacks the signature that the policy requires"),
        (("review", "verdicts"), [], "its policy asks somebody more: a reviewer's verdict is missing"),
        (("review",), None, "it was decided by human, and holds no review"),
        (("decided_by",), "model", "it was sent to a person and decided by the model"),
        (("decided_by",), "model", "its policy sends it to a person (cold start), and the model decided"),
        (("decided_by",), "deadline", "its deadline decided 'edit', and its policy says 'hold'"),
        (("route", "policy_version"), "0" * 12, "which is not among those given"),
        (("generation", "answer"), {"total": 99}, "sha256 does not fit the draft"),
        (("case", "id"), "c2", "belongs under another key"),
        (("case", "id"), "c..2", "belongs under another key"),
    ],
    ids=lambda one: ".".join(map(str, one)) if isinstance(one, tuple) else "",
)
def test_a_change_is_found_even_where_the_index_was_written_anew(store, path, to, says):
    """From the draft over the verdict and the settlement to what shipped, each link is checked."""
    key = put(store, reviewed(signed(decision="edit", answer={"total": 13})))
    change(store, key, *path, to=to, index_too=True)

    assert any(says in one for one in problems(store)), problems(store)


@pytest.mark.parametrize("with_review", [True, False])
def test_no_audit_decides_what_none_was_drawn_for(store, with_review):
    """Nor without a person's verdict."""
    key = put(store, reviewed(signed(decision="edit", answer={"total": 13})))
    change(store, key, "decided_by", to="audit")
    change(store, key, "final_answer", to={"total": 99}, index_too=with_review)
    if not with_review:
        change(store, key, "review", to=None, index_too=True)

    assert problems(store) == [
        "it says that it was decided by an audit, and none was drawn",
        "its final answer is not what its review settled"
        if with_review
        else "it says that it was decided by an audit, and no person settled it",
    ]


AUDITED = a_route(action="review", reason="audit", propensity=0.05, policy_version=POLICY.version)


@pytest.mark.parametrize(
    ("answer", "says"),
    [({"total": 13}, []), ({"total": 99}, ["its final answer is not what its review settled"])],
    ids=["as settled", "exchanged"],
)
def test_an_audit_ships_what_its_auditor_settled(store, answer, says):
    put(store, reviewed(signed(decision="edit", answer={"total": 13}), route=AUDITED, decided_by="audit"))
    change(store, outcome_key(an_outcome()), "final_answer", to=answer, index_too=True)

    assert problems(store) == says


def test_an_accepted_answer_that_is_called_an_edit_is_still_the_models_draft(store):
    """The model edits nothing."""
    sure = Policy(min_confidence=0.7)
    key = put(store, an_outcome(route=a_route(policy_version=sure.version)))
    change(store, key, "decision", to="edit")
    change(store, key, "final_answer", to={"total": 99}, index_too=True)

    assert problems(store, {sure.version: sure}) == ["its final answer is not the draft that was accepted"]


LATE = Policy.model_validate({**dict(POLICY), "on_deadline": "reject"})
TO_LATE = TO_A_PERSON.model_copy(update={"policy_version": LATE.version})


def test_what_people_settled_is_not_the_deadlines(store):
    """Their verdicts are still there."""
    key = put(store, reviewed(signed(), route=TO_LATE))
    for path, to in ((("decision",), "reject"), (("final_answer",), None), (("decided_by",), "deadline")):
        change(store, key, *path, to=to)
    change(store, key, "decided_by", to="deadline", index_too=True)
    half = problems(store, {LATE.version: LATE})
    silent = {"decision": "reject", "decided_by": "deadline", "decided_at": "2026-01-02T12:00:00Z"}
    change(store, key, "review", "settled", to=silent, index_too=True)

    assert half == ["its final answer is not what its review settled"]
    assert problems(store, {LATE.version: LATE}) == ["its verdicts settle it, and it says that the deadline did"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"total": 0}, []),
        ({"total": 0.0, "notes": {}}, []),
        ({"total": 99}, ["its final answer is not the fallback of its policy"]),
    ],
    ids=["as written", "as the answer type writes it", "exchanged"],
)
def test_a_fallback_is_the_policys(store, answer, says):
    """The answer type may write it differently, and add what was left out."""
    falls = Policy(on_deadline="fallback", fallback={"total": 0})
    settled = Settlement(decision="fallback", decided_by="deadline", decided_at=NOON)
    facts = {"decision": "fallback", "final_answer": answer, "decided_by": "deadline"}
    route = TO_A_PERSON.model_copy(update={"policy_version": falls.version})
    put(store, an_outcome(route=route, review=Review(settled=settled), **facts))

    assert problems(store, {falls.version: falls}) == says


TWO = Policy.model_validate(
    {
        **dict(POLICY),
        "quorum": 2,
        "reviewers": ("ada", "bob", "sue"),
        "escalate_to": ("eve",),
        "reviewer_keys": {**POLICY.reviewer_keys, "sue": public_key_of(SUE), "eve": public_key_of(EVE)},
    }
)


@pytest.mark.parametrize(
    ("verdicts", "says"),
    [
        ([{}, {}], "approve by 'ada' counts as one whom its policy does not ask there"),
        ([{"role": "escalated"}], "approve by 'ada' was given as escalated, and its policy asks nobody as that there"),
        ([{"role": "tie_breaker"}], "approve by 'ada' was given as tie_breaker, and its policy asks nobody as that"),
        ([{"role": "second"}], "approve by 'ada' was given as second, and its policy asks nobody as that there"),
        ([{}, {"reviewer": "eve"}], "approve by 'eve' counts as one whom its policy does not ask there"),
        ([{"decision": "escalate"}, {"role": "escalated"}], "approve by 'ada' counts as one whom its policy does not"),
        ([{"decision": "escalate", "reviewer": "eve"}], "escalate by 'eve' counts as one whom its policy does not ask"),
        ([{"decision": "reject"}, {"decision": "reject", "reviewer": "bob"}, {"reviewer": "sue"}], "was given as"),
    ],
    ids=["twice", "escalated", "tie-breaker", "second", "unlisted", "back", "hands over", "after the end"],
)
def test_a_verdict_counts_only_from_whom_the_policy_asks_there(store, verdicts, says):
    """One signed approval, stored twice or called another role, is no quorum of two."""
    said = [signed(**{"answer": None if "decision" in one else {"total": 12.5}, **one}) for one in verdicts]
    route = TO_A_PERSON.model_copy(update={"policy_version": TWO.version})
    settled = a_review().settled.model_copy(update={"decided_by": "quorum"})
    review = a_review().model_copy(update={"verdicts": tuple(said), "settled": settled})
    put(store, reviewed(signed(), route=route, review=review, decided_by="quorum"))

    assert any(says in one for one in problems(store, {TWO.version: TWO})), problems(store, {TWO.version: TWO})


WRITTEN = Policy(on_deadline="fallback", fallback={"vendor": "unknown ", "lines": [0, "none"]})


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"vendor": "unknown", "lines": [0.0, " none"]}, []),
        ({"vendor": "ACME", "lines": [0, "none"]}, ["its final answer is not the fallback of its policy"]),
        ({"vendor": "unknown", "lines": [0]}, ["its final answer is not the fallback of its policy"]),
        ({"vendor": "unknown", "lines": [0, "all"]}, ["its final answer is not the fallback of its policy"]),
    ],
    ids=["trimmed", "another text", "a line less", "another line"],
)
def test_the_texts_and_lists_of_a_fallback_are_the_policys_but_for_spaces_around(store, answer, says):
    settled = Settlement(decision="fallback", decided_by="deadline", decided_at=NOON)
    facts = {"decision": "fallback", "final_answer": answer, "decided_by": "deadline"}
    route = TO_A_PERSON.model_copy(update={"policy_version": WRITTEN.version})
    put(store, an_outcome(route=route, review=Review(settled=settled), **facts))

    assert problems(store, {WRITTEN.version: WRITTEN}) == says


PANEL = Policy(quorum=3, reviewers=("ada", "bob", "sue"), tie_breakers=("eve",))
PAIR = Policy(reviewers=("ada", "bob"), on_deadline="escalate", escalate_to=("eve",))


def under(policy: Policy, *verdicts: Any, **changes: Any) -> Outcome[Any]:
    """What the last verdict settled, under a policy that asks for no signature."""
    settled = settled_by(verdicts[-1], verdicts)
    review = Review(verdicts=verdicts, settled=settled, **changes.pop("review", {}))
    route = TO_A_PERSON.model_copy(update={"policy_version": policy.version})
    return reviewed(verdicts[-1], route=route, review=review, **{"decided_by": settled.decided_by, **changes})


@pytest.mark.parametrize(
    ("role", "says"),
    [("escalated", []), ("reviewer", ["approve by 'eve' counts as one whom its policy does not ask there"])],
)
def test_whom_the_deadline_handed_a_case_to_may_decide_it_as_that(store, role, says):
    """That nobody came before stands in no verdict."""
    put(store, under(PAIR, a_verdict(reviewer="eve", role=role), review={"escalated": True}))

    assert problems(store, {PAIR.version: PAIR}) == says


@pytest.mark.parametrize(
    ("reviewer", "says"), [("eve", []), ("ada", ["edit by 'ada' counts as one whom its policy does not ask there"])]
)
def test_where_the_answer_type_refused_the_majoritys_answer_a_tie_breaker_may_decide(store, reviewer, says):
    """Field by field two of three want 0, and one field must be 1; the type is not stored."""
    ones = [{"a": 1, "b": 0, "c": 0}, {"a": 0, "b": 1, "c": 0}, {"a": 0, "b": 0, "c": 1}]
    said = [
        a_verdict(decision="edit", answer=answer, reviewer=name)
        for name, answer in zip(PANEL.reviewers, ones, strict=True)
    ]
    last = a_verdict(decision="edit", answer=ones[0], reviewer=reviewer, role="tie_breaker")
    put(store, under(PANEL, *said, last))

    assert problems(store, {PANEL.version: PANEL}) == says


@pytest.mark.parametrize(
    ("reviewer", "says"),
    [("bob", []), ("mallory", ["retry by 'mallory' counts as one whom its policy does not ask there"])],
)
def test_each_verdict_is_gone_through_with_the_draft_that_it_is_about(store, reviewer, says):
    """Of two attempts; who sent the first one back must have been asked too."""
    retry = a_verdict(decision="retry", answer=None, guidance="Add the tax.", reviewer=reviewer)
    second = a_generation(attempt=2, answer={"total": 14})
    approve = a_verdict(answer={"total": 14}, attempt=2, draft_sha256=second.sha256)
    first = Attempt(generation=a_generation(), score=a_score(), route=TO_A_PERSON)
    outcome = under(PAIR, retry, approve, generation=second, earlier=(first,))
    settled = settled_by(approve, (approve,))
    review = outcome.review.model_copy(update={"settled": settled})
    put(store, outcome.model_copy(update={"review": review, "decided_by": "human"}))

    assert problems(store, {PAIR.version: PAIR}) == says


def test_what_no_policy_could_go_on_with_is_a_finding(store):
    """Bob hands over to whom only he is: the other outcomes are checked all the same."""
    handed_over = signed(decision="escalate", answer=None, reviewer="bob")
    put(store, reviewed(signed(), review=a_review().model_copy(update={"verdicts": (handed_over,)})))

    assert any("it cannot be gone through again: case 'c1': nobody is left" in one for one in problems(store))


def test_any_change_of_the_bytes_is_found_by_the_index(store):
    """Also where nothing that was signed was changed."""
    key = put(store, reviewed(signed()))
    change(store, key, "case", "metadata", to={"source": "elsewhere"})

    assert problems(store) == [
        "its bytes are not those that cases/v1/task=invoices/c1.json names: it was changed after it was stored"
    ]


def test_an_approval_of_another_answer_than_the_draft_is_found(store):
    """A signature of `approve` is over the draft's sha256, so the answer beside it must be that draft."""
    key = put(store, reviewed(signed()))
    for path in ((*VERDICT, "answer"), ("review", "settled", "answer"), ("final_answer",)):
        change(store, key, *path, to={"total": 99}, index_too=True)

    assert "approve by 'ada' approves another answer than the draft that it names" in problems(store)


def test_a_signature_of_another_case_is_found(store):
    """Swapped among two outcomes of the same reviewer."""
    key = put(store, reviewed(signed()))
    other = sign_verdict(ADA, statement_of(a_verdict(), task="invoices", case="c2"))
    change(store, key, *VERDICT, "signature", to=other, index_too=True)

    assert problems(store) == ["approve by 'ada' has a signature that is not theirs, or not for this verdict"]


def test_two_signatures_where_the_policy_asks_two_people(store):
    """One of them taken away is a missing person."""
    third = {**POLICY.reviewer_keys, "eve": public_key_of(EVE)}
    two = Policy.model_validate(
        {**dict(POLICY), "quorum": 2, "reviewers": ("ada", "bob", "eve"), "reviewer_keys": third}
    )
    route = a_route(action="review", reason="below_bar", propensity=1, policy_version=two.version)
    put(store, reviewed(signed(), route=route))

    assert problems(store, {two.version: two}) == [
        "its policy asks somebody more: a reviewer's verdict is missing",
    ]


def test_what_the_index_and_the_outcomes_do_not_share_is_found(store):
    """An outcome that was put there by hand, one that is lost, and an entry that is none."""
    key = put(store, an_outcome())
    (store.root / key).rename(store.root / key.replace("c1", "c9"))
    (store.root / "cases/v1/task=invoices/c5.json").write_text("{}")

    assert [(one.key.rpartition("/")[2], one.problem[:40]) for one in verify_store(store, {}).findings] == [
        ("c1.json", "cases/v1/task=invoices/c1.json names it,"),
        ("c5.json", "it is no index entry: key: Field require"),
        ("c9.json", "no index entry names it: it was put ther"),
    ]


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b"[" * 5000, b'{"schema": "hitl.outcome/v1"}'])
def test_what_is_no_outcome_is_one_finding(store, body):
    """Whatever stands there."""
    key = put(store, an_outcome())
    (store.root / key).write_bytes(body)

    assert [one[:16] for one in problems(store)] == ["it is no outcome"]


def test_the_command_prints_one_line_per_finding_and_fails(store, tmp_path, capsys):
    """With the policy in a file no Prefect server is needed."""
    key = put(store, reviewed(signed()))
    file = tmp_path / "policy.json"
    file.write_text(POLICY.model_dump_json())
    clean = app(["verify", store.url, "--policy", str(file)])
    change(store, key, *VERDICT, "signature", to=None, index_too=True)
    changed = app(["verify", store.url, "--policy", str(file)])
    printed = capsys.readouterr().out.splitlines()
    app(["verify", store.url, "--policy", str(file), "--task", "invoices", "--json"])

    assert (clean, printed[0]) == (0, "1 outcome, 1 good signature, 0 findings.")
    assert (changed, [line.split()[0] for line in printed[1:]]) == (1, ["OBJECT", key, "1"])
    assert json.loads(capsys.readouterr().out)["findings"] == [
        {"key": key, "problem": "approve by 'ada' lacks the signature that the policy requires"}
    ]


def test_a_policy_is_known_by_the_version_that_the_release_gave_it_that_wrote_it(store, tmp_path, capsys):
    """A later release knows more fields, and so would give the same policy another version."""
    older = json.loads(POLICY.model_dump_json())
    del older["message_holds"]
    route = TO_A_PERSON.model_copy(update={"policy_version": sha256_of(older)[:12]})
    put(store, reviewed(signed(), route=route))
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(older))

    assert app(["verify", store.url, "--policy", str(file)]) == 0


@pytest.mark.parametrize(
    ("policy", "store_name", "says"),
    [
        ("no-such.json", "outcomes", "policy 'no-such.json' cannot be read"),
        (None, "outcomes", "holds no policy: quorum: Input should be greater than or equal to 1"),
        ("", "empty", "no outcome is stored in folder:"),
    ],
    ids=["no file", "no policy", "no outcome"],
)
def test_what_cannot_be_checked_fails_with_what_to_mend(store, tmp_path, capsys, policy, store_name, says):
    """A typing error is not taken for a clean store."""
    put(store, an_outcome())
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"quorum": 0}')
    given = ["--policy", str(wrong) if policy is None else policy] if policy != "" else []
    with pytest.raises(SystemExit) as left:
        main(["verify", f"folder:{tmp_path / store_name}", *given])

    assert (left.value.code, says in capsys.readouterr().err) == (1, True)


GROUPED = Policy(min_confidence=0.9, grouping={"one_by_one": 1}, over_budget="reject")


def of_group(draft: Any, **changes: Any) -> Outcome[Any]:
    """The outcome of case c1, whose group was shown the draft of case c0."""
    shown = a_generation(answer={"vendor": "ACME"}, text="shown")
    verdict = a_verdict(answer={"vendor": "ACME"}, draft_sha256=shown.sha256, **changes)
    group = {"case": "c0", "draft_sha256": shown.sha256, "size": 2}
    route = a_route(action="review", reason="below_bar", propensity=1, policy_version=GROUPED.version)
    return reviewed(verdict, route=route, review=a_review(verdict, group=group), generation=a_generation(answer=draft))


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        (of_group({"vendor": "acme."}), []),
        (of_group({"vendor": "acme."}, decision="edit"), []),
        (of_group({"vendor": "Other"}), ["approve by 'ada' approves for its group what its own draft does not say"]),
    ],
    ids=["alike", "edited", "other"],
)
def test_what_was_approved_for_a_group_says_what_each_draft_says(store, outcome, says):
    """What its group was shown is the draft of another case."""
    put(store, outcome)

    assert problems(store, {GROUPED.version: GROUPED}) == says


def test_a_verdict_for_a_group_is_about_the_draft_that_the_group_was_shown(store):
    """Nothing else was seen."""
    key = put(store, of_group({"vendor": "ACME"}))
    change(store, key, "review", "group", "draft_sha256", to="0" * 64, index_too=True)

    (found,) = problems(store, {GROUPED.version: GROUPED})
    assert found == "approve by 'ada' is about another draft than the one that its group was shown"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, []),
        ({"decision": "fallback", "final_answer": {"total": 0}}, ["its policy decided 'fallback' over its budget"]),
        ({"decision": "accept", "final_answer": {"total": 12.5}}, ["the policy, which never decides 'accept'"]),
        ({"review": a_review()}, ["it was decided by the policy because there was no review left, and holds a review"]),
    ],
    ids=["rejected", "other-end", "accepted", "reviewed"],
)
def test_what_the_policy_decides_over_its_budget_is_its_safe_end(store, changes, says):
    """It never accepts."""
    route = a_route(action="review", reason="below_bar", propensity=0, policy_version=GROUPED.version)
    end = {"route": route, "decision": "reject", "final_answer": None, "decided_by": "policy"}
    put(store, an_outcome(**{**end, **changes}))
    found = problems(store, {GROUPED.version: GROUPED})

    assert bool(found) is bool(says)
    assert all(any(one in problem for problem in found) for one in says)


def test_a_policy_with_a_risk_budget_is_known_with_every_bar_that_the_store_holds(store):
    """One policy is given; a case was accepted under a version of its bars, another is said to have been."""
    policy = Policy(max_error=0.05, audit_rate=0)
    version = put_next(store, "invoices", lambda previous: Calibrated.after(previous, "invoices", (IN_FORCE,), NOON))
    routed = route(a_case(), a_generation(), a_score(0.8), policy=policy.with_calibrated(version))
    put(store, an_outcome(route=routed))
    given = {policy.version: policy}

    assert (routed.action, problems(store, given)) == ("accept", [])
    change(store, outcome_key(an_outcome()), "score", "confidence", to=0.7, index_too=True)
    assert problems(store, given) == ["its policy sends it to a person (below bar), and the model decided"]
