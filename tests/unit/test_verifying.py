"""`hitl verify`: what was changed in a store after it was decided is found."""

import json

import pytest

from hitl_prefect.canonical import sha256_of
from hitl_prefect.cli import app, main
from hitl_prefect.forgetting import Wish, forget
from hitl_prefect.outcomes import Review, Settlement, outcome_key
from hitl_prefect.policy import Policy
from hitl_prefect.signatures import statement_of
from hitl_prefect.signing import sign_verdict
from hitl_prefect.stores.folder import FolderStore
from hitl_prefect.verifying import Verification, verify_store
from tests.unit.making import NOON, a_route, a_verdict, an_outcome
from tests.unit.test_signing import ADA, POLICY
from tests.unit.verified import KNOWN, TO_A_PERSON, change, problems, put, reviewed, signed


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


def test_a_forged_tombstone_takes_no_terminal_and_forges_no_line(store, capsys):
    """What it holds was written by whoever could write to the store."""
    key = put(store, an_outcome())
    forget(store, Wish(task="invoices", case="c1", by="dpo", reason="ticket 7", at=NOON))
    forged = json.loads(store.get(key)) | {"key": f"{key}\x1b[2J\nAll is well.", "reason": "none\nAll is well."}
    (store.root / key).write_text(json.dumps(forged))
    app(["verify", store.url])
    said = capsys.readouterr().out

    assert key in said
    assert ("\x1b" in said, "All is well." in said.splitlines()) == (False, False), said
