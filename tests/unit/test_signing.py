"""Signatures of verdicts: what they are over, and what no longer fits them."""

import base64
import json
from datetime import date, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from hitl_prefect.briefs import Brief
from hitl_prefect.errors import AnswerRefused
from hitl_prefect.form_reading import read_form
from hitl_prefect.forms import Form, build_form
from hitl_prefect.models import Case
from hitl_prefect.outcomes import Verdict
from hitl_prefect.panel import Ask
from hitl_prefect.policy import Policy
from hitl_prefect.signatures import check_signature, statement_typed
from hitl_prefect.signing import Statement, public_key_of, sign_verdict, verify_verdict
from tests.unit.making import NOON, a_case, a_generation, a_route, a_score

# RFC 8032, section 7.1, tests 1 to 3: secret key, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
        "655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
        "b00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d"
        "c027beceea1ec40a",
    ),
]

ADA, BOB = (Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret)) for secret, *_ in RFC_8032[1:])
ADAS_KEY, BOBS_KEY = public_key_of(ADA), public_key_of(BOB)
POLICY = Policy(
    require_signature=True,
    reviewers=("ada", "bob"),
    reviewer_keys={"ada": ADAS_KEY, "bob": BOBS_KEY},
    escalate_to=("bob",),
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
STATEMENTS = st.builds(Statement, **dict.fromkeys(Statement.model_fields, TEXT) | {"answer": JSON})


class Line(BaseModel):
    total: float = Field(ge=0)
    due: date | None = None
    at: datetime = NOON
    notes: list[str] = []


def a_statement(**changes: Any) -> Statement:
    facts = {"task": "invoices", "case": "c1", "draft_sha256": "d" * 64, "form_sha256": "f" * 64}
    return Statement(**{**facts, "decision": "edit", "answer": {"total": 13}, "reviewer": "ada", **changes})


def a_form(case: Case, *, round_id: str = "run/1/1", policy: Policy = POLICY) -> Form:
    ask = Ask(people=policy.reviewers, named=True)
    facts = {"score": a_score(), "route": a_route(), "generation": a_generation(answer={"total": 12.5}), "ask": ask}
    return build_form(Brief(case=case, policy=policy, round_id=round_id, **facts))


def typed_for(form: Form, case: Case, key: Ed25519PrivateKey | None = ADA, **typed: Any) -> dict[str, Any]:
    """What a client sends: signed for the form as it came over the wire."""
    typed = {"reviewer": "ada", "draft_sha256": form.draft_sha256, **typed}
    if key is None:
        return typed
    return {**typed, "signature": sign_verdict(key, submitted(form, case, typed))}


def submitted(form: Form, case: Case, typed: dict[str, Any]) -> Statement:
    return statement_typed(typed, form, task=case.task, case=case.id)


def heard(form: Form, case: Case, typed: dict[str, Any], policy: Policy = POLICY) -> Verdict:
    """What a review makes of what came back; raises where it does not count."""
    answer = read_form(form, case, typed)
    verdict = Verdict(
        **answer.model_dump(),
        attempt=1,
        draft_sha256=form.draft_sha256,
        form_sha256=form.sha256,
        opened_at=NOON,
        decided_at=NOON,
    )
    check_signature(verdict, submitted(form, case, typed), policy)
    return verdict


@pytest.mark.parametrize(("secret", "public", "message", "signature"), RFC_8032)
def test_keys_and_signatures_are_those_of_rfc_8032(secret, public, message, signature):
    """The published vectors, in the form in which we write them."""
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret))

    assert public_key_of(key) == "ed25519:" + base64.b64encode(bytes.fromhex(public)).decode()
    assert key.sign(bytes.fromhex(message)).hex() == signature


def test_what_is_signed_stays_the_same_for_years():
    """These bytes and this signature are in stored outcomes: a change here makes all of them invalid."""
    statement = a_statement(answer={"total": 13.0, "vendor": "Ä"}, reason="seen")

    assert statement.signed.decode() == (
        '{"answer":{"total":13,"vendor":"Ä"},"case":"c1","decision":"edit","draft_sha256":"' + "d" * 64 + '",'
        '"form_sha256":"' + "f" * 64 + '","guidance":"","reason":"seen","reviewer":"ada",'
        '"schema":"hitl.verdict-signature/v1","task":"invoices"}'
    )
    assert sign_verdict(ADA, statement) == (
        "ed25519:Fdc+Bms5rdRkbC7lxgl2sWIiNksye4yHo97p0Qrh7krTetErUsfI1unEJLimRHMA8bwNB6tH/DlWabN2/vT7AQ=="
    )


@given(STATEMENTS, st.sampled_from(sorted(Statement.model_fields)), st.data())
def test_a_signature_fits_no_statement_with_another_word_in_it(statement, field, data):
    """Whichever field is changed, and to whatever else."""
    other = statement.model_copy(update={field: data.draw(JSON if field == "answer" else TEXT)})
    signature = sign_verdict(ADA, statement)

    assert verify_verdict(ADAS_KEY, statement, signature)
    assert verify_verdict(ADAS_KEY, other, signature) is (other.signed == statement.signed)
    assert not verify_verdict(BOBS_KEY, statement, signature)


@given(TEXT | st.binary(max_size=80).map(lambda raw: "ed25519:" + base64.b64encode(raw).decode()))
def test_what_is_no_signature_is_never_good(text):
    """Nor does it raise: it comes from outside."""
    assert not verify_verdict(ADAS_KEY, a_statement(), text)


@given(st.integers(-(2**53), 2**53))
def test_a_whole_number_is_the_same_with_and_without_a_point(number):
    """`12` is typed and `12.0` is what a float field stores."""
    assert a_statement(answer=[number]).signed == a_statement(answer=[float(number)]).signed


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ({"decision": "approve"}, {"total": 12.5}),
        ({"decision": "reject", "reason": " no invoice ", "answer": {"total": 12.5}}, None),
        ({"decision": "retry", "guidance": "look at the foot"}, None),
        ({"decision": "escalate"}, None),
        ({"decision": "edit", "answer": {"total": 12, "at": "2026-01-02T12:00:00Z"}}, "as typed"),
    ],
    ids=lambda one: one["decision"] if isinstance(one, dict) and "decision" in one else "",
)
def test_every_decision_is_signed_over_what_the_verdict_keeps(typed, answer):
    """Spaces around words, fields that are left out and whole numbers make no difference."""
    case = a_case(answer=Line)
    form = a_form(case)
    kept = {"total": 12.0, "due": None, "at": "2026-01-02T12:00:00Z", "notes": []}

    assert heard(form, case, typed_for(form, case, **typed)).answer == (kept if answer == "as typed" else answer)


@pytest.mark.parametrize(
    ("key", "changes", "says"),
    [
        (None, {}, "the browser cannot sign"),
        (BOB, {}, "it is not this reviewer's"),
        (ADA, {"reviewer": "bob"}, "it is not this reviewer's"),
        (ADA, {"decision": "reject"}, "it is not this reviewer's"),
        (ADA, {"reason": "another"}, "it is not this reviewer's"),
        (ADA, {"signature": "ed25519:AAAA"}, "it is not this reviewer's"),
        (ADA, {"reviewer": "mallory"}, "this form is for ada, bob"),
    ],
    ids=["unsigned", "forged", "another's name", "another decision", "another reason", "garbage", "unlisted"],
)
def test_what_is_not_signed_by_its_reviewer_does_not_count(key, changes, says):
    """Each is told how to answer instead."""
    case = a_case(answer=Line)
    form = a_form(case)
    typed = typed_for(form, case, key, decision="approve") | changes
    with pytest.raises(AnswerRefused) as refused:
        heard(form, case, typed)

    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "round_id"),
    [({}, "run/1/2"), ({}, "other/1/1"), ({"id": "c2"}, "run/1/1"), ({"task": "mail"}, "run/1/1")],
    ids=["next round", "other run", "other case", "other task"],
)
def test_a_signature_serves_one_time_of_asking(changes, round_id):
    """The same draft, the same words, asked again: the old signature is refused."""
    case, other = a_case(answer=Line), a_case(answer=Line, **changes)
    typed = typed_for(a_form(case), case, decision="approve")
    with pytest.raises(AnswerRefused, match="not for this form"):
        heard(a_form(other, round_id=round_id), other, typed)


def test_an_answer_that_is_stored_otherwise_than_it_was_signed_is_asked_again_as_it_is_stored():
    """What ships is what was signed, to the byte; the message holds what to sign."""
    case = a_case(answer=Line)
    form = a_form(case)
    typed = {"total": 1, "at": "2026-01-02 12:00:00Z"}
    stored = {"total": 1.0, "due": None, "at": "2026-01-02T12:00:00Z", "notes": []}
    with pytest.raises(AnswerRefused) as refused:
        heard(form, case, typed_for(form, case, decision="edit", answer=typed))

    assert f"yours is stored as {json.dumps(stored)}: sign that" in str(refused.value)
    assert heard(form, case, typed_for(form, case, decision="edit", answer=stored)).answer == stored


def test_a_wrong_signature_never_counts_even_where_none_is_needed():
    """A signature that nobody can check is kept as it is; one that is wrong under a known key is refused."""
    case, lenient = a_case(answer=Line), Policy(reviewer_keys={"ada": ADAS_KEY})
    form = a_form(case, policy=lenient)
    unknown = typed_for(form, case, BOB, decision="approve", reviewer="bob")
    with pytest.raises(AnswerRefused, match="it is not this reviewer's"):
        heard(form, case, typed_for(form, case, BOB, decision="approve"), lenient)

    assert heard(form, case, unknown, lenient).signature == unknown["signature"]
    assert heard(form, case, typed_for(form, case, None, decision="approve"), lenient).signature is None


def test_a_form_that_wants_a_signature_says_so():
    """To clients in the schema, to people at its top; names are no closed list, so that an unlisted one is recorded."""
    form, plain = a_form(a_case()), a_form(a_case(), policy=Policy(reviewers=("ada",)))

    assert (form.form_schema["x-hitl-signed"], plain.form_schema["x-hitl-signed"]) == (True, False)
    assert form.description.startswith("**Verdicts on this task are signed.**")
    assert "` hitl answer run --decision ... `" in form.description
    assert ("enum" in form.form_schema["properties"]["reviewer"], form.reviewers) == (False, ("ada", "bob"))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"reviewer_keys": {"ada": "ssh-ed25519 AAAA"}}, "reviewer_keys['ada']: a public key is 'ed25519:'"),
        ({"reviewer_keys": {"ada": "ed25519:AAAA"}}, "reviewer_keys['ada']: a public key is 'ed25519:'"),
        (
            {"reviewer_keys": {"ada": ADAS_KEY.replace("gw=", "gx=")}},
            "reviewer_keys['ada']: a public key is 'ed25519:'",
        ),
        ({"reviewer_keys": {"ada": ADAS_KEY, "bob": ADAS_KEY}}, "'ada' and 'bob' have the same key"),
        ({"require_signature": True, "reviewer_keys": {"ada": ADAS_KEY}}, "needs a key of ['bob']"),
    ],
    ids=["no key", "too short", "another spelling", "shared", "missing"],
)
def test_a_policy_with_keys_that_cannot_be_honoured_cannot_be_made(changes, says):
    """The message names whose key it is."""
    with pytest.raises(ValidationError) as refused:
        Policy(reviewers=("ada", "bob"), **changes)

    assert says in str(refused.value)
