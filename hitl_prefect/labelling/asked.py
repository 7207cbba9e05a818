"""Which cases of a batch people were asked about, as Prefect's own flow runs tell."""

from itertools import count
from typing import NamedTuple

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import TERMINAL_STATES, StateType

from hitl_prefect.run_pages import RUNS
from hitl_prefect.signposts import tags_of

__all__ = ["AskedBefore", "asked_before"]

_PAGE = 200


class AskedBefore(NamedTuple):
    """The ids of the cases."""

    open: frozenset[str]
    """Nothing is decided yet: it waits for a person, or was answered and goes on."""
    ended: frozenset[str]
    """It was decided, cancelled, or failed."""


async def asked_before(client: PrefectClient, task: str, batch: str) -> AskedBefore:
    """Every case of the batch that has a review of its own, however long ago it was opened.

    Raises:
        PrefectHTTPStatusError: If the server refused.
    """
    ended: dict[str, bool] = {}
    wanted = {"tags": {"all_": tags_of(task, batch)}}
    for offset in count(0, _PAGE):
        # Sorted by what never changes, a run that is decided meanwhile hides no other.
        body = {"flow_runs": wanted, "sort": "ID_DESC", "limit": _PAGE, "offset": offset}
        page = (await client.request("POST", RUNS, json=body)).raise_for_status().json()
        for run in page:
            is_over = StateType(run["state_type"]) in TERMINAL_STATES
            ended[run["parameters"]["case"]] = ended.get(run["parameters"]["case"], True) and is_over
        if len(page) < _PAGE:
            break
    over = frozenset(case for case, is_over in ended.items() if is_over)
    return AskedBefore(open=frozenset(ended) - over, ended=over)
