"""Which reviews are being opened: a variable of Prefect for each lot, there before the first of its flow runs is.

Whoever opens a lot forgets it when all of it can be answered. What is still noted later is half opened, and found
without a mark on each of its runs, which would cost a request each to take away.
"""

import contextlib
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import uuid4

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import VariableCreate, VariableUpdate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.logging import get_logger
from pydantic import AwareDatetime, StringConstraints, ValidationError

from hitl_prefect.detached.asked import KEY
from hitl_prefect.frozen import Frozen

__all__ = ["OPENING", "Lot", "forget_lot", "lots_noted", "note_lot", "shrink_lot"]

OPENING = "hitl-opening"
"""The tag of these variables."""
_NAME = "hitl_opening_"
_PAGE = 200


class Lot(Frozen):
    """Reviews that somebody began to open together."""

    name: str
    """Of the variable; one of its own whoever opens, so that nobody forgets what another is still at."""
    value: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")], ...]
    """The ends of their idempotency keys: whole, those of a hundred would be longer than Prefect's 5,000 letters."""
    created: AwareDatetime

    @property
    def keys(self) -> list[str]:
        """Their idempotency keys."""
        return [f"{KEY}{end}" for end in self.value]


async def note_lot(client: PrefectClient, keys: Sequence[str]) -> str:
    """Note that these reviews, by their idempotency keys, are being opened; returns the name of the note."""
    name = f"{_NAME}{uuid4().hex}"
    # Where the answer was lost Prefect's client asks again, and the name is taken: by ourselves.
    with contextlib.suppress(ObjectAlreadyExists):
        await client.create_variable(VariableCreate(name=name, value=_ends(keys), tags=[OPENING]))
    return name


async def shrink_lot(client: PrefectClient, lot: Lot, keys: Sequence[str]) -> None:
    """Note only these of a lot any more; without any it is forgotten."""
    if not keys:
        await forget_lot(client, lot.name)
    elif list(keys) != lot.keys:
        await client.update_variable(VariableUpdate(name=lot.name, value=_ends(keys)))


async def forget_lot(client: PrefectClient, name: str) -> None:
    """All of it can be answered; somebody else may have found so before."""
    with contextlib.suppress(ObjectNotFound):
        await client.delete_variable_by_name(name)


async def lots_noted(client: PrefectClient, before: datetime) -> list[Lot]:
    """The lots that were noted by then and not forgotten."""
    wanted = {"variables": {"tags": {"all_": [OPENING]}}, "limit": _PAGE}
    found = (await client.request("POST", "/variables/filter", json=wanted)).raise_for_status().json()
    return [lot for one in found if (lot := _read(one)) and lot.created <= before]


def _ends(keys: Sequence[str]) -> list[str]:
    return [key.removeprefix(KEY) for key in keys]


def _read(found: dict[str, object]) -> Lot | None:
    try:
        return Lot.model_validate({name: found.get(name) for name in Lot.model_fields})
    except ValidationError:
        get_logger("hitl").warning(
            "the variable %r is tagged %s and notes no reviews: delete it", found["name"], OPENING
        )
        return None
