"""Trying again where one task does many things."""

import time

import pytest

from hitl_prefect.errors import ConfigError, HitlError, RateLimited, StoreUnavailable
from hitl_prefect.patience import patiently


class Failing:
    """Fails with these errors, one after the other, and then says what it was asked for."""

    def __init__(self, *errors: HitlError) -> None:
        self.errors, self.calls = list(errors), 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "there"


async def test_what_fails_for_a_while_is_tried_until_it_is_there():
    call = Failing(StoreUnavailable("away"), RateLimited("slower"))

    assert (await patiently(call, (0.001, 0.001, 0.001)), call.calls) == ("there", 3)


async def test_the_last_failure_is_raised_when_all_pauses_are_over():
    call = Failing(*(StoreUnavailable(f"away {n}") for n in range(4)))

    with pytest.raises(StoreUnavailable, match="away 2"):
        await patiently(call, (0.001, 0.001))
    assert call.calls == 3


async def test_what_no_further_attempt_can_mend_is_tried_once():
    """A wrong key stays wrong, and each attempt may cost money."""
    call = Failing(ConfigError("no such model"))

    with pytest.raises(ConfigError, match="no such model"):
        await patiently(call, (60.0,))
    assert call.calls == 1


async def test_a_provider_that_says_how_long_is_not_asked_sooner():
    began = time.monotonic()
    await patiently(Failing(RateLimited("slower", retry_after_s=0.2)), (0.001,))

    assert time.monotonic() - began >= 0.2
