"""Which bars a batch goes by, run after run."""

from types import SimpleNamespace

from hitl_prefect.calibrations import Calibrated
from hitl_prefect.many.batch import Wanted
from hitl_prefect.many.ledger import Ledger
from hitl_prefect.many.pinning import keep, pinned
from hitl_prefect.policy import Policy
from hitl_prefect.policy_versions import put_next
from hitl_prefect.stores.folder import FolderStore
from tests.unit.making import NOON
from tests.unit.test_ledger import made


async def test_a_batch_that_goes_on_keeps_the_bars_that_it_began_with(tmp_path):
    """Also where it began with none; a dry run has begun nothing."""
    store = FolderStore(tmp_path / "outcomes")
    wanted = Wanted("demo", "none", store.url, str, Policy(max_error=0.05), 1, 1, "pool")

    def write():
        put_next(store, "demo", lambda previous: Calibrated.after(previous, "demo", (), NOON))

    with Ledger(made(tmp_path / "cold.sqlite", 1)) as cold, Ledger(made(tmp_path / "warm.sqlite", 1)) as warm:
        began_cold = await pinned(wanted, cold)
        keep(SimpleNamespace(ledger=cold, wanted=began_cold))
        write()
        began_warm = await pinned(wanted, warm)
        write()
        after_a_dry_run = await pinned(wanted, warm)
        keep(SimpleNamespace(ledger=warm, wanted=after_a_dry_run))
        write()
        found = [began_cold, await pinned(wanted, cold), began_warm, after_a_dry_run, await pinned(wanted, warm)]

    assert [one.policy.calibrated and one.policy.calibrated.number for one in found] == [None, None, 1, 2, 2]
