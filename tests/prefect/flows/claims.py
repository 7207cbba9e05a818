"""The ten-line flow, with an answer that has a bit of everything."""

from datetime import date
from enum import StrEnum

from prefect import flow
from pydantic import BaseModel, Field

from hitl_prefect import Outcome, Policy, resolve_case


class Status(StrEnum):
    open = "open"
    paid = "paid"
    refused = "refused"


class Item(BaseModel):
    name: str
    value: float = Field(ge=0, le=10_000, description="In euros.")


class Person(BaseModel):
    name: str
    city: str = ""


class Claim(BaseModel):
    claimant: Person
    status: Status
    severity: int = Field(ge=1, le=5, description="5 is the worst.")
    happened_on: date | None = None
    items: list[Item]
    story: str = Field(description="What happened, in the claimant's words.")


@flow
def read_claim(letter: str, store: str) -> Outcome[Claim]:
    return resolve_case(
        f"Read the claim.\n\n{letter}",
        answer=Claim,
        model="openai:gpt-5-mini",
        task="claims",
        policy=Policy(min_confidence=0.9),
        store=store,
    )
