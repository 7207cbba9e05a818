"""States of a flow run, proposed to the server: whoever comes second is told so, and leaves the run alone."""

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID, uuid4, uuid5
from weakref import WeakKeyDictionary

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.responses import OrchestrationResult, SetStateStatus, StateWaitDetails
from prefect.context import SettingsContext, get_settings_context
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES
from prefect.states import Cancelled

from hitl_prefect.together import Together

__all__ = ["AWAY", "end", "enter", "is_away", "is_gone", "sending_once"]


AWAY = (PrefectHTTPStatusError, httpx.TransportError)
"""What a request may raise where the Prefect server is away; `is_away` tells a refusal from it."""
_APART_S = 0.5
"""Between two looks at what is about to be run: one run costs the server 11 ms, and each further one 2."""


def is_away(exc: BaseException) -> bool:
    """Whether an error says that the Prefect server cannot be reached, or cannot answer now."""
    if isinstance(exc, PrefectHTTPStatusError):
        return exc.response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR
    return isinstance(exc, httpx.TransportError)


def is_gone(exc: BaseException) -> bool:
    """Whether an error says that the server knows no such run, as of one that was deleted meanwhile."""
    if isinstance(exc, PrefectHTTPStatusError):
        return exc.response.status_code == httpx.codes.NOT_FOUND
    return isinstance(exc, ObjectNotFound)


def sending_once() -> Callable[[], SettingsContext]:
    """Makes contexts in which Prefect's client sends no request again by itself, as it does where SQLite is locked.

    Made beforehand: another copy of Prefect's settings takes 60 ms.
    """
    here = get_settings_context()
    settings = here.settings.copy_with_update(updates={PREFECT_CLIENT_MAX_RETRIES: 0})
    return lambda: SettingsContext(profile=here.profile, settings=settings)


async def enter(client: PrefectClient, flow_run: FlowRun, state: State, once: Callable[[], SettingsContext]) -> bool:
    """Whether the server took a state from us, out of the one that the run was in a moment before, as it was listed.

    Of several who propose the same kind of state out of the same one the server takes the first: all name the request
    alike, and whoever comes second is told the state that there is, whose message says whose it is.

    Args:
        client: An open client.
        flow_run: As it was listed.
        state: Whose message names us.
        once: Of `sending_once()`: sent again seconds later, a request might find the run in another state, out of which
            the server would take it as well.

    Raises:
        httpx.TransportError, PrefectHTTPStatusError: If the server is away.
    """
    now, known = None, flow_run.state_id
    while known is not None and await _is_in(client, flow_run.id, known):
        with once():
            told = await _propose(client, flow_run.id, state, uuid5(known, state.type.value))
        now = _standing(told)
        if told is None or not isinstance(told.details, StateWaitDetails):
            break
        # Due in a moment, by the server's clock.
        await asyncio.sleep(told.details.delay_seconds)
    if now is None:
        return False
    _keep(flow_run, now)
    return now.type == state.type and now.message == state.message


async def _is_in(client: PrefectClient, run_id: UUID, state_id: UUID) -> bool:
    """Whether a run is in this very state: the rules take Running also for a run that waits, or that was cancelled."""
    found = await _looks.setdefault(client, Together(_look, apart_s=_APART_S)).give((client, run_id))
    return found.get(run_id) == state_id


_looks: "WeakKeyDictionary[PrefectClient, Together[tuple[PrefectClient, UUID], dict[UUID, UUID]]]" = WeakKeyDictionary()
"""By client, and so by event loop."""


async def _look(asked: Sequence[tuple[PrefectClient, UUID]]) -> dict[UUID, UUID]:
    """The states that runs are in, without those that are gone."""
    client, runs = asked[0][0], [str(run_id) for _, run_id in asked]
    found = await client.request("POST", "/flow_runs/filter", json={"flow_runs": {"id": {"any_": runs}}})
    return {UUID(run["id"]): UUID(run["state_id"]) for run in found.json() if run["state_id"]}


async def end(client: PrefectClient, flow_run: FlowRun, state: State, facts: dict[str, str]) -> State | None:
    """Put a run into its last state, or into Cancelled where somebody wants it cancelled.

    Args:
        client: An open client.
        flow_run: A run that is ours.
        state: How it ended.
        facts: Stand in the state as its data. There must be some: a run that is completed with no data at all may be
            claimed again, by a worker that listed it before.

    Returns:
        The state that it is in; `None` where the server lets nobody end it.

    Raises:
        httpx.TransportError, PrefectHTTPStatusError: If the server is away.
    """
    now = _standing(await _propose(client, flow_run.id, state, uuid4(), facts))
    if now is not None and now.is_cancelling():
        now = _standing(await _propose(client, flow_run.id, Cancelled(), uuid4(), facts))
    if now is not None:
        _keep(flow_run, now)
    return now


async def _propose(
    client: PrefectClient, run_id: UUID, state: State, request_id: UUID, facts: dict[str, str] | None = None
) -> OrchestrationResult[None] | None:
    """What the server says to it; `None` where it knows no such run.

    Prefect's own method leaves out facts that are no stored result, and names each request anew. By its id the server
    knows the same request again, where its answer was lost.
    """
    wanted = {
        "type": state.type,
        "name": state.name,
        "message": state.message,
        "data": facts,
        "state_details": {"transition_id": str(request_id)},
    }
    try:
        answer = await client.request(
            "POST", "/flow_runs/{id}/set_state", path_params={"id": run_id}, json={"state": wanted, "force": False}
        )
    except PrefectHTTPStatusError as exc:
        if not is_gone(exc):
            raise
        return None
    return OrchestrationResult.model_validate(answer.json())


def _standing(told: OrchestrationResult[None] | None) -> State | None:
    """The state that the run is in after a proposal; `None` where it told none: the run is gone, or was to wait."""
    return told.state if told and told.status in (SetStateStatus.ACCEPT, SetStateStatus.REJECT) else None


def _keep(flow_run: FlowRun, state: State) -> None:
    flow_run.state = state
    flow_run.state_id, flow_run.state_type, flow_run.state_name = state.id, state.type, state.name
