"""What is kept of a case: prompts and personal data stay out where the policy says so, and nothing else changes."""

import json
import time

import pytest

from hitl_prefect.canonical import sha256_of
from hitl_prefect.concluding import conclude
from hitl_prefect.evidence import prompt_name
from hitl_prefect.messages import Image, Message
from hitl_prefect.models import Generation, Part, named
from hitl_prefect.outcomes import Outcome, RefusedAnswer
from hitl_prefect.policy import Policy
from hitl_prefect.redaction import redact
from hitl_prefect.retention import Retention
from hitl_prefect.signatures import statement_of
from hitl_prefect.signing import sign_verdict
from hitl_prefect.stores import FolderStore
from hitl_prefect.training.choosing import training_files
from hitl_prefect.verifying import verify_store
from tests.unit.making import NOON, a_case, a_generation, a_review, a_route, a_score, a_verdict
from tests.unit.test_signing import ADA, POLICY
from tests.unit.verified import change, put

MAIL = "grace@example.org"
PICTURE = Image.from_bytes(b"\x89PNG\r\n...")
SYSTEM = Message(role="system", content="Extract the total.")
PROMPT = (SYSTEM, Message(role="user", content=(f"From {MAIL}: 12.50, K-2041", PICTURE)))


def policy(prompt, **changes):
    return POLICY.model_copy(update={"retention": Retention(prompt=prompt, **changes)})


def concluded(kept, *, signed=False, **changes):
    """An outcome that a person approved and said something about."""
    case = a_case(prompt=PROMPT, metadata={"sender": MAIL, "pages": 2})
    draft = a_generation(prompt_sha256=case.prompt_sha256, text=f'{{"total": 12.5}} for {MAIL}')
    route = a_route(action="review", reason="below_bar", propensity=1, policy_version=kept.version)
    said = a_verdict(draft_sha256=draft.sha256, reason=f"Asked {MAIL}.", **changes)
    if signed:
        said = said.model_copy(update={"signature": sign_verdict(ADA, statement_of(said, task="invoices", case="c1"))})
    refused = RefusedAnswer(
        errors=("reason: too long",), typed={"reason": [MAIL]}, form_sha256="f" * 64, decided_at=NOON
    )
    score = a_score(parts=(Part(name="judge", confidence=0.8, reason=f"{MAIL} is named"),))
    return conclude(case, draft, score, route, a_review(said, refused_answers=(refused,)), policy=kept)


def test_all_is_kept_unless_the_policy_says_otherwise():
    assert MAIL in concluded(POLICY).stored.decode()
    assert concluded(POLICY).stored == concluded(policy("keep")).stored


def test_redacted_is_what_was_found_and_the_rest_stays():
    outcome = concluded(policy("redact", redact=("email", r"K-\d+")))
    review = outcome.review

    assert MAIL not in outcome.stored.decode()
    assert outcome.case.messages == (
        SYSTEM,
        Message(role="user", content=f"From [email]: 12.50, [redacted]\n{PICTURE.describe()}"),
    )
    assert outcome.case.metadata == {"sender": "[email]", "pages": 2}
    assert review.verdicts[0].reason == "Asked [email]."
    assert review.refused_answers[0].typed == {"reason": ["[email]"]}
    assert outcome.score.parts[0].reason == "[email] is named"
    assert outcome.final_answer == outcome.generation.answer == {"total": 12.5}


def test_of_a_dropped_prompt_the_authors_part_and_the_sha256_are_left():
    """A bar is for the author's part, and goes on to hold."""
    whole, outcome = concluded(POLICY), concluded(policy("drop"))

    assert outcome.case.messages == (SYSTEM,)
    assert outcome.case.prompt_sha256 == whole.case.prompt_sha256
    assert prompt_name(outcome.case) == prompt_name(whole.case)
    assert outcome.generation.text == named(whole.generation.text)


@pytest.mark.parametrize("prompt", ["redact", "drop"])
def test_the_same_decision_still_has_the_same_bytes(prompt):
    kept = policy(prompt)

    assert concluded(kept).stored == concluded(kept).stored


@pytest.mark.parametrize("prompt", ["keep", "redact", "drop"])
def test_what_was_signed_can_be_checked_whatever_was_kept(tmp_path, prompt):
    """The draft's sha256 is the same without its text; a signed reason is not redacted."""
    store, kept = FolderStore(tmp_path), policy(prompt)
    key = put(store, concluded(kept, signed=True))
    honest = verify_store(store, {kept.version: kept})
    for path in (("generation", "answer"), ("final_answer",), ("review", "settled", "answer")):
        change(store, key, *path, to={"total": 99}, index_too=True)
    change(store, key, "review", "verdicts", 0, "answer", to={"total": 99}, index_too=True)

    assert (honest.findings, honest.signatures) == ((), 1)
    assert ["sha256 does not fit the draft" in one.problem for one in verify_store(store, {}).findings] == [True]


def test_a_stored_outcome_without_its_text_reads_back_as_it_is():
    outcome = concluded(policy("drop"))

    assert Outcome[object].model_validate_json(outcome.stored).stored == outcome.stored


def test_a_draft_of_an_earlier_release_still_reads():
    """Its sha256 is over the text itself."""
    draft = a_generation()
    before = sha256_of([draft.answer, draft.text, draft.model, draft.prompt_sha256, draft.attempt])
    read = Generation.model_validate({**draft.model_dump(), "sha256": before})

    assert read.sha256 == before
    with pytest.raises(ValueError, match="sha256 does not fit the draft"):
        Generation.model_validate({**draft.model_dump(), "text": "other", "sha256": before})


@pytest.mark.parametrize("prompt", ["keep", "redact", "drop"])
def test_a_case_that_comes_again_is_told_from_one_with_another_prompt(prompt):
    record = concluded(policy(prompt)).case

    assert record.asks_the_same(a_case(prompt=PROMPT))
    assert not record.asks_the_same(a_case(prompt=(SYSTEM, Message(role="user", content="Another."))))


def test_a_dropped_prompt_is_left_out_of_training_files():
    asked = {"task": "invoices", "file_format": "trl-sft", "include": ("anchored",), "holdout": 0}
    files = training_files([concluded(policy("drop"))], **asked)
    redacted = training_files([concluded(policy("redact"))], **asked)

    assert files.summary.left_out == {"no_prompt": 1}
    assert MAIL not in redacted.rows["train"][0].body.decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to grace.hopper+navy@mail.example.co.uk.", "Write to [email]."),
        ("müller@exämple.de schrieb", "[email] schrieb"),
        ("IBAN DE89 3704 0044 0532 0130 00, bitte", "IBAN [iban], bitte"),
        ("GB82WEST12345698765432", "[iban]"),
        ("DE88370400440532013000 is no account", "DE88370400440532013000 is no account"),
        ("4111-1111-1111-1111 and 378282246310005", "[card] and [card]"),
        ("order 4111111111111112", "order 4111111111111112"),
        ("card 4111 1111 1111 1111 12/26", "card [card] 12/26"),
        ("4111 1111 1111 1111 123", "[card] 123"),
        ("Order 7 4111 1111 1111 1111", "Order 7 [card]"),
        ("Order 7 3782 822463 10005 12/26", "Order 7 [card] 12/26"),
        ("4111\xa01111\u202f1111\xa01111", "[card]"),
        ("of 100 200 300 400 500 600 700 800 900 pieces", "of 100 200 300 400 500 600 700 800 900 pieces"),
        ("AT61 1904 3002 3457 3201 EUR 50", "[iban] EUR 50"),
        ("BE68 5390 0754 7034 EUR", "[iban] EUR"),
        ("AB12 BE68-5390-0754-7034", "AB12 [iban]"),
        ("ES91 2100 0418 4502 0005 1332 BIC CAIXESBB", "[iban] BIC CAIXESBB"),
        ("de89\xa03704 0044 0532 0130 00", "[iban]"),
        ("+49 30 901820, +1 (415) 555-2671", "[phone], [phone]"),
        ("Tel. 030 / 90 18 20 or (415) 555-2671", "Tel. [phone] or [phone]"),
        (
            "on 2026-01-02 12:00:00, 12.50 EUR, 1,000,000 of 10 000",
            "on 2026-01-02 12:00:00, 12.50 EUR, 1,000,000 of 10 000",
        ),
        ("01 42 68 53 00, 0171-1234567", "[phone], [phone]"),
        ("01-02-2026, 01.02.2026, 2026/01/02", "01-02-2026, 01.02.2026, 2026/01/02"),
        ("v1.2.3, 192.168.0.1, $1-2", "v1.2.3, 192.168.0.1, $1-2"),
        ("a@b, @grace, grace@", "a@b, @grace, grace@"),
    ],
)
def test_what_shows_by_its_form_is_found(text, expected):
    assert redact(text, Retention().redact) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a@" * 20_000,
        "0" * 50_000,
        "DE00 " * 10_000,
        "a." * 25_000 + "@",
        "+1" + " 1" * 20_000,
        "1111 " * 10_000,
        "de00" * 10_000,
    ],
)
def test_a_long_hostile_text_is_gone_through_in_a_moment(text):
    started = time.perf_counter()
    redact(text, Retention().redact)

    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    ("pattern", "says"), [("(", "is no regular expression"), ("a*", "fits an empty text"), ("", "fits an empty text")]
)
def test_a_pattern_that_cannot_be_honoured_is_refused(pattern, says):
    with pytest.raises(ValueError, match=says):
        Policy(retention={"prompt": "redact", "redact": [pattern]})


def test_the_policys_version_tells_what_was_kept():
    versions = {policy(prompt).version for prompt in ("keep", "redact", "drop")}

    assert len(versions) == 3
    assert json.loads(policy("drop").model_dump_json())["retention"]["prompt"] == "drop"
