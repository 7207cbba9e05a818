"""Python's collector, kept from what stays anyway, and left as it was afterwards."""

import gc
import weakref

import pytest

from hitl_prefect.collecting import left_alone, uncollected


class Node:
    """One that can be a ring of its own, which only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.parametrize("was_enabled", [True, False])
def test_the_collector_is_afterwards_as_it_was(was_enabled, request):
    request.addfinalizer(gc.enable if gc.isenabled() else gc.disable)
    (gc.enable if was_enabled else gc.disable)()

    with pytest.raises(ImportError, match="enabled: False"), uncollected():
        raise ImportError(f"enabled: {gc.isenabled()}")

    assert gc.isenabled() == was_enabled


def test_what_was_there_is_left_alone_and_what_is_made_meanwhile_is_collected():
    with uncollected():  # by itself, so that only the lines below collect
        before = weakref.ref(Node())
        with left_alone():
            meanwhile = weakref.ref(Node())
            gc.collect()

            assert (before() is None, meanwhile()) == (False, None)
        gc.collect()

        assert before() is None


def test_what_somebody_has_frozen_stays_so(request):
    request.addfinalizer(gc.unfreeze)
    gc.freeze()

    with left_alone():
        pass

    assert gc.get_freeze_count() > 0
