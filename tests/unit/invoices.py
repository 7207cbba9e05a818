"""An invoice with a bit of everything, and the form about it."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import BaseModel, Field, JsonValue, field_validator

from hitl_prefect.briefs import Brief
from hitl_prefect.errors import AnswerRefused
from hitl_prefect.form_reading import read_form
from hitl_prefect.forms import Form, build_form
from hitl_prefect.models import Case, Generation, Part, Route, Score
from hitl_prefect.policy import Policy

__all__ = ["CASE", "DRAFT", "Invoice", "Line", "form_for", "refusals"]


class Line(BaseModel):
    sku: str
    quantity: int = Field(ge=1)


class Invoice(BaseModel):
    vendor: str = Field(min_length=2, description="Who sends it.")
    total: float = Field(ge=0)
    due: date | None = None
    currency: str = "EUR"
    tags: list[str] = []
    lines: list[Line]

    @field_validator("vendor")
    @classmethod
    def _no_shouting(cls, value: str) -> str:
        if value.isupper():
            raise ValueError("write the vendor in mixed case")
        return value


DRAFT: dict[str, Any] = {
    "vendor": "Acme",
    "total": 12.0,
    "due": "2026-01-15",
    "currency": "EUR",
    "tags": ["a"],
    "lines": [{"sku": "s", "quantity": 1}],
}
CASE = Case(id="c1", task="invoices", prompt="Extract the invoice.", answer=Invoice)


def form_for(
    answer: JsonValue = None, *, case: Case = CASE, policy: Policy | None = None, attempt: int = 1, **details: Any
) -> Form:
    generation = Generation(
        answer=answer,
        text="what the model wrote",
        status="invalid" if answer is None else "ok",
        model="m",
        provider="p",
        prompt_sha256=case.prompt_sha256,
        attempt=attempt,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    score = Score(confidence=0.5, combined="min(stated)", parts=(Part(name="stated", confidence=0.5),))
    route = Route(action="review", reason="below_bar", propensity=1, policy_version="v1", bar=0.9)
    facts = {"case": case, "generation": generation, "score": score, "route": route, "policy": policy or Policy()}
    return build_form(Brief(**facts, **details))


def refusals(form: Form, data: dict[str, Any], case: Case = CASE) -> tuple[str, ...]:
    with pytest.raises(AnswerRefused) as caught:
        read_form(form, case, data)
    return caught.value.errors
