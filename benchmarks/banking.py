"""Messages to a bank, put to the model that the package ships, which was made for an online shop.

The folder `banking77` holds `test.csv` of https://github.com/PolyAI-LDN/task-specific-datasets (CC BY 4.0, Casanueva et
al. 2020): messages with one of 77 intents. An intent here means one category of the model, or none of them; intents of
which that cannot be said without doubt are left out.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

from benchmarks.exams import BAR, Exam, Trial, typed_edit, typed_reject
from hitl_prefect.demo.story import CATEGORIES, INSTRUCTIONS
from hitl_prefect.errors import ConfigError
from hitl_prefect.frozen import Frozen
from hitl_prefect.policy import Policy

__all__ = ["CATEGORY_OF", "MODEL", "NO_CATEGORY", "banking_exam"]

MODEL = "embedded:support"

CATEGORY_OF = {
    "edit_personal_details": "account",
    "passcode_forgotten": "account",
    "terminate_account": "account",
    "unable_to_verify_identity": "account",
    "card_payment_fee_charged": "billing",
    "cash_withdrawal_charge": "billing",
    "extra_charge_on_statement": "billing",
    "transaction_charged_twice": "billing",
    "card_arrival": "delivery",
    "card_delivery_estimate": "delivery",
    "Refund_not_showing_up": "refund",
    "request_refund": "refund",
    "card_not_working": "technical",
    "contactless_not_working": "technical",
    "virtual_card_not_working": "technical",
}
"""The category that an intent means; no intent means `feedback`."""

NO_CATEGORY = (
    "age_limit",
    "atm_support",
    "automatic_top_up",
    "card_acceptance",
    "country_support",
    "disposable_card_limits",
    "exchange_via_app",
    "fiat_currency_support",
    "get_disposable_virtual_card",
    "supported_cards_and_currencies",
    "top_up_limits",
    "visa_or_mastercard",
)
"""Questions about what the bank offers, for which the model has no category: nothing should ship."""

_ONE_IN = 5
"""So many messages hold one that fits no category."""


class _Message(Frozen):
    row: int
    text: str
    intent: str


def banking_exam(data: Path, messages: int) -> Exam:
    """Messages spread evenly over the file, of which every fifth fits no category.

    Raises:
        ConfigError: If the file holds too few.
        OSError: If it is missing.
    """
    rows = _read(data / "banking77" / "test.csv")
    without = messages // _ONE_IN or 1
    fitting = _spread([one for one in rows if one.intent in CATEGORY_OF], messages - without)
    misfits = _spread([one for one in rows if one.intent in NO_CATEGORY], without)
    return Exam(
        model=MODEL,
        deployment="resolve-case/resolve-case",
        policy=Policy(min_confidence=BAR, scorers=("probability",)),
        parameters={"instructions": INSTRUCTIONS, "choices": list(CATEGORIES)},
        trials=tuple(_trial(one) for one in (*fitting, *misfits)),
    )


def _trial(message: _Message) -> Trial:
    right = CATEGORY_OF.get(message.intent)
    typed = typed_edit(right, f"intent {message.intent}") if right else typed_reject("no category fits")
    return Trial(id=f"row-{message.row:04d}", prompt=message.text, right=right, typed=typed)


def _read(path: Path) -> list[_Message]:
    with path.open(encoding="utf-8", newline="") as table:
        rows = enumerate(csv.DictReader(table), start=1)
        return [_Message(row=number, text=row["text"].strip(), intent=row["category"]) for number, row in rows]


def _spread(found: Sequence[_Message], wanted: int) -> list[_Message]:
    """As many as wanted, at equal distances."""
    if len(found) < wanted:
        raise ConfigError(f"banking77/test.csv holds {len(found)} messages of the chosen intents, {wanted} are wanted")
    return [found[place * len(found) // wanted] for place in range(wanted)]
