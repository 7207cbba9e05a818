"""Open reviews: flow runs that are created already suspended, with their form.

A review costs three requests, and a hundred of them four more; each call a few for the deployment and the inbox's page.
Which reviews are being opened is noted before the first is created, and forgotten when all can be answered: what is
noted for longer is half opened, and `arepair_reviews` completes it from its own parameters.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Suspended, to_state_create
from prefect.utilities.asyncutils import run_coro_as_sync

from hitl_prefect.desk import Round, Signs, keyset_of
from hitl_prefect.detached.asked import Detached
from hitl_prefect.detached.deployment import POOL, ensure_review_deployment
from hitl_prefect.detached.lots import forget_lot, note_lot
from hitl_prefect.detached.parameters import freeze
from hitl_prefect.errors import ReviewError
from hitl_prefect.inbox_page import refresh_page
from hitl_prefect.journal import create_row, slug_of
from hitl_prefect.notices import Notice, send_together
from hitl_prefect.panel import Ask
from hitl_prefect.rounds import About, make_round
from hitl_prefect.signposts import WAITING, tags_of
from hitl_prefect.telling import signs_of

__all__ = ["Opening", "aopen_reviews", "complete", "open_reviews"]

_PER_CALL = 100
"""As many as Prefect's bulk endpoint takes."""
_AT_A_TIME = 8
"""Reviews whose rows are written side by side: more only wait for the database."""
_TRIES = 20
_PAUSE_S = 0.5
"""Between two tries to create those that Prefect left out: it does so to single ones where SQLite is locked."""


class Opening:
    """One review on its way: its first round, and what its flow run shows."""

    def __init__(self, review: Detached) -> None:
        self.review = review
        step = review.sitting.next_step()
        if not isinstance(step, Ask):
            raise ReviewError(f"case {review.case.id!r}: the policy asks nobody about it")
        slug, route = slug_of(review.case), review.attempt.route
        about = About(run=review.key, slug=slug, how="suspended", route=route, group=review.group)
        made = make_round(about, review.sitting, step, number=1)
        self.round = made.model_copy(update={"is_born_waiting": True})
        self.row = f"{slug}-round-{made.attempt}-1"
        """The key of the round in the run's journal."""
        self.signs: Signs = signs_of(review.sitting, self.round, route, self.row)

    @property
    def notice(self) -> Notice:
        """What is told about it."""
        return Notice(name="opened", step=self.row, facts=self.round.facts)

    async def body(self) -> dict[str, Any]:
        """What creates the run, suspended and unfinished."""
        state: State = Suspended(pause_key=self.round.pause_key, message=self.signs.message, timeout_seconds=None)
        state.state_details.run_input_keyset = keyset_of(state)
        schedule = self.signs.schedule.after("opened")
        return {
            "name": self.signs.name,
            "state": to_state_create(state).model_dump(mode="json"),
            "parameters": (await freeze(self.review)).model_dump(mode="json"),
            "idempotency_key": self.review.key,
            "tags": [*tags_of(self.review.case.task, self.review.batch), WAITING],
            "labels": self.signs.labels | schedule.labels(),
        }


async def aopen_reviews(reviews: Sequence[Detached], *, work_pool: str = POOL) -> list[UUID]:
    """Open a review for each, in a flow run of its own that waits without a process.

    The same case and draft are the same flow run, however often this is called: after a crash, call it again.

    Args:
        reviews: What people are asked.
        work_pool: Where the runs go on once somebody has answered: of type `hitl`, for `hitl worker`; or an existing
            one of any type whose workers have this package and the answer types.

    Returns:
        The flow runs, in the same order.

    Raises:
        ConfigError: If an answer type has no name under which a worker could find it.
        ReviewError: If Prefect refused to create a run.
        StoreError: If a large draft could not be put into its store.
    """
    opened: list[UUID] = []
    async with get_client() as client:
        deployment = await ensure_review_deployment(client, work_pool)
        for start in range(0, len(reviews), _PER_CALL):
            opened += await _open_lot(client, deployment, reviews[start : start + _PER_CALL])
        if opened:
            await refresh_page(client, opened[-1])
    return opened


def open_reviews(reviews: Sequence[Detached], *, work_pool: str = POOL) -> list[UUID]:
    """The same as `aopen_reviews`, for a flow that is not async."""
    return run_coro_as_sync(aopen_reviews(reviews, work_pool=work_pool))


async def complete(client: PrefectClient, opened: Sequence[tuple[UUID, Opening]]) -> bool:
    """Write what makes these runs answerable, and tell of them; what is there already stays.

    Returns:
        Whether the server took what is told. Where it did not they can be answered all the same.
    """
    at_a_time = asyncio.Semaphore(_AT_A_TIME)

    async def write(run_id: UUID, opening: Opening) -> None:
        async with at_a_time:
            await _write_rows(client, run_id, opening)

    await asyncio.gather(*(write(run_id, opening) for run_id, opening in opened))
    return await send_together(client, [(run_id, opening.notice) for run_id, opening in opened])


async def _open_lot(client: PrefectClient, deployment: UUID, reviews: Sequence[Detached]) -> list[UUID]:
    some = [Opening(review) for review in reviews]
    bodies = await asyncio.gather(*(one.body() for one in some))
    noted = await note_lot(client, [review.key for review in reviews])
    runs = await _create(client, deployment, bodies)
    # Not told, it stays noted: the repair tells of it.
    if await complete(client, list(zip(runs, some, strict=True))):
        await forget_lot(client, noted)
    return runs


async def _create(client: PrefectClient, deployment: UUID, bodies: Sequence[dict[str, Any]]) -> list[UUID]:
    made: dict[str, UUID] = {}
    for _ in range(_TRIES):
        missing = [body for body in bodies if body["idempotency_key"] not in made]
        if not missing:
            return [made[body["idempotency_key"]] for body in bodies]
        made |= await _created(client, deployment, missing)
        await asyncio.sleep(_PAUSE_S if len(made) < len(bodies) else 0)
    raise ReviewError(f"Prefect created only {len(made)} of {len(bodies)} reviews; open them again")


async def _created(client: PrefectClient, deployment: UUID, bodies: Sequence[dict[str, Any]]) -> dict[str, UUID]:
    """Those that the server made, or had made before. Where SQLite is locked it leaves out single ones."""
    path = f"/deployments/{deployment}/create_flow_run/bulk"
    try:
        # Prefect's own method for it knows neither labels nor names.
        response = await client._client.post(path, json=bodies)  # noqa: SLF001 - the typed request knows no such path
    except PrefectHTTPStatusError as exc:
        if exc.response.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
            raise ReviewError(
                f"Prefect refused to create reviews ({exc.response.status_code}): the log of its server says why"
            ) from exc
        return {}
    results = response.json()["results"]
    pairs = zip(bodies, results, strict=True)
    return {body["idempotency_key"]: UUID(one["flow_run_id"]) for body, one in pairs if one["flow_run_id"]}


async def _write_rows(client: PrefectClient, run_id: UUID, opening: Opening) -> None:
    """The round first: the form is that of the round that stands, whoever recorded it."""
    asked = opening.round
    if not await create_row(client, run_id, opening.row, asked.model_dump_json(by_alias=True)):
        asked = Round.model_validate_json(await client.read_flow_run_input(run_id, opening.row))
    keys = keyset_of(Suspended(pause_key=asked.pause_key))
    for part, value in (("schema", asked.form.form_schema), ("description", asked.form.description)):
        await create_row(client, run_id, keys[part], json.dumps(value))
