"""What is kept of a batch in the store: enough for any process to go on where another one died.

```
batches/v1/<key>/submission.json       the cases and the model; the key is their sha256
                 turns/0001.json       somebody is about to make the batch at the provider
                 turns/0001.over.json  ... and certainly did not
                 batch.json            the provider's id of the batch
                 drafts.json           what came of each case
                 closed.json           every draft was handed over
```

Each object is written once and never changed, so that two processes never disagree about what happened.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Literal, TypeVar

from pydantic import AwareDatetime, Field, JsonValue, ValidationError

from hitl_prefect.answers import answer_type
from hitl_prefect.canonical import canonical_bytes, sha256_of
from hitl_prefect.errors import ObjectMissing, OutcomeConflict, StoreDenied
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Case, Generation, Sha256
from hitl_prefect.protocols import Store

__all__ = ["BatchRecord", "Closed", "Draft", "Drafts", "Placed", "StoredCase", "Submission", "Turn", "records"]

LEASE = timedelta(minutes=15)
"""How long after a turn began nobody else may take one. Whoever has the turn begins its call within two minutes and
gives it up after ten more: three are left for clocks that disagree."""

_ROOT = "batches/v1/"

Record = TypeVar("Record", bound=Frozen)


class StoredCase(Frozen):
    """A case beside the name of its answer type, which is code and cannot be stored."""

    case: Case
    answer: Sha256
    """Names the JSON schema of the answer type."""


class Submission(Frozen):
    """What was to be asked of whom; the same model and cases always make the same submission."""

    format: Literal["hitl.batch/v1"] = "hitl.batch/v1"
    model: str
    """`provider:name`, or the name of a block; never a key."""
    cases: tuple[StoredCase, ...] = Field(min_length=1)
    schemas: dict[Sha256, dict[str, JsonValue]]
    """The JSON schema of each answer type, by its sha256."""

    @classmethod
    def of(cls, cases: tuple[Case, ...], model: str) -> "Submission":
        """The submission of these cases."""
        schemas: dict[str, dict[str, Any]] = {}
        stored = []
        for case in cases:
            schema = answer_type(case.answer).json_schema
            name = sha256_of(schema)
            schemas[name] = schema
            stored.append(StoredCase(case=case, answer=name))
        return cls(model=model, cases=tuple(stored), schemas=schemas)

    @cached_property
    def key(self) -> str:
        """Names the batch: sha256 over model and cases."""
        return sha256_of(self)

    def typed(self, known: Mapping[str, Any]) -> tuple[Case, ...] | None:
        """The cases with their answer types; `None` where one is missing in `known`, by the sha256 of its schema."""
        if not all(one.answer in known for one in self.cases):
            return None
        return tuple(one.case.model_copy(update={"answer": known[one.answer]}) for one in self.cases)


class Turn(Frozen):
    """The right to make the batch at the provider, held by one process."""

    number: int = Field(ge=1, le=9999)
    owner: str
    """Random: two processes never write the same turn."""
    at: AwareDatetime

    def holds(self, now: datetime) -> bool:
        """Whether nobody else may take a turn yet."""
        return now < self.at + LEASE


class Placed(Frozen):
    """The batch stands at the provider."""

    id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")


class Over(Frozen):
    """The holder of a turn knows that no batch came of it."""

    over: Literal[True] = True


class Draft(Frozen):
    """What came of one case."""

    draft: Generation | None
    problem: str = ""
    """Why there is no draft."""


class Drafts(Frozen):
    """What came of each case, in the order of the submission."""

    drafts: tuple[Draft, ...]
    strange: int = Field(default=0, ge=0)
    """Lines of the results that could not be read, or belong to no case."""


class Closed(Frozen):
    """Every draft was handed over."""

    cases: int


class BatchRecord:
    """The record of one batch in a store.

    Args:
        store: Where it is kept.
        key: Names the batch.
    """

    def __init__(self, store: Store, key: str) -> None:
        self.store, self.key = store, key

    async def open(self, submission: Submission) -> None:
        """Keep what is to be asked, before anybody is."""
        await self._put("submission", submission)

    async def submission(self) -> Submission:
        """What was to be asked.

        Raises:
            StoreDenied: If it is not what the key names.
        """
        found = await self._read("submission", Submission)
        if found is None or found.key != self.key:
            raise StoreDenied(f"the submission of batch {self.key[:12]} in {self.store.url} was changed or deleted")
        return found

    async def turns(self) -> list[tuple[Turn, bool]]:
        """Every turn that was taken, the oldest first, and whether it is known to be over."""
        names = set(await asyncio.to_thread(self.store.keys, f"{self._folder}turns/"))
        found = []
        for number in range(1, len(names) + 1):
            if (turn := await self._read(_turn(number), Turn)) is None:
                break
            found.append((turn, f"{self._folder}{_turn(number)}.over.json" in names))
        return found

    async def take(self, turn: Turn) -> bool:
        """Take a turn; `False` where another process took it."""
        return await self._first(_turn(turn.number), turn)

    async def over(self, turn: Turn) -> None:
        """Say that no batch came of the turn."""
        await self._put(f"{_turn(turn.number)}.over", Over())

    async def placed(self) -> Placed | None:
        """The batch at the provider, where its id is known."""
        return await self._read("batch", Placed)

    async def place(self, batch_id: str) -> bool:
        """Keep the provider's id; `False` where another id stands."""
        return await self._first("batch", Placed(id=batch_id))

    async def drafts(self) -> Drafts | None:
        """What came of each case, where it was fetched."""
        return await self._read("drafts", Drafts)

    async def keep(self, drafts: Drafts) -> Drafts:
        """Keep what came of each case; returns what stands."""
        return drafts if await self._first("drafts", drafts) else (await self.drafts() or drafts)

    async def close(self, cases: int) -> None:
        """Say that every draft was handed over."""
        await self._put("closed", Closed(cases=cases))

    @property
    def _folder(self) -> str:
        return f"{_ROOT}{self.key}/"

    async def _first(self, name: str, value: Frozen) -> bool:
        try:
            await self._put(name, value)
        except OutcomeConflict:
            return False
        return True

    async def _put(self, name: str, value: Frozen) -> None:
        await asyncio.to_thread(self.store.put_once, f"{self._folder}{name}.json", canonical_bytes(value))

    async def _read(self, name: str, model: type[Record]) -> Record | None:
        key = f"{self._folder}{name}.json"
        try:
            body = await asyncio.to_thread(self.store.get, key)
        except ObjectMissing:
            return None
        try:
            return model.model_validate_json(body)
        except ValidationError as exc:
            raise StoreDenied(
                f"{key!r} in {self.store.url} is no {model.__name__}: {exc.error_count()} fields do not fit; it was "
                "changed by somebody else"
            ) from None


def _turn(number: int) -> str:
    return f"turns/{number:04d}"


async def records(store: Store) -> tuple[list[BatchRecord], list[BatchRecord]]:
    """The open batches of a store, and the closed ones."""
    keys = await asyncio.to_thread(store.keys, _ROOT)
    names = {tuple(key.removeprefix(_ROOT).split("/", 1)) for key in keys if key.count("/") >= 3}
    submitted = sorted(key for key, *rest in names if rest == ["submission.json"])
    closed = {key for key, *rest in names if rest == ["closed.json"]}
    return (
        [BatchRecord(store, key) for key in submitted if key not in closed],
        [BatchRecord(store, key) for key in submitted if key in closed],
    )
