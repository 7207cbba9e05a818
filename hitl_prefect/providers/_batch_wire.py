"""What both batch endpoints share: time-outs, ids that are safe in a path, and lines of JSON."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from types import ModuleType
from typing import Any, TypeVar

import httpx2

from hitl_prefect.errors import ConfigError, ProviderError
from hitl_prefect.providers._endpoint import Endpoint
from hitl_prefect.providers._wire import Call, CutOff, failure_of

__all__ = ["batch_call", "batch_client", "check_id", "given_id", "json_lines"]

CALL_S = 600.0
"""Seconds that one call to a batch endpoint may take: it carries up to 256 MB."""

_CONNECT_S = 10.0

C = TypeVar("C", bound=AbstractAsyncContextManager[Any])

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


def batch_call(model: str, endpoint: Endpoint) -> Call:
    """A call to a batch endpoint, seen from the errors that may come of it."""
    return Call(model, replace(endpoint, timeout_s=CALL_S), ())


@asynccontextmanager
async def batch_client(sdk: ModuleType, kind: Callable[..., C], endpoint: Endpoint, call: Call) -> AsyncIterator[C]:
    """A client of either SDK for calls that carry whole files; what goes wrong within the block is an error of ours.

    Raises:
        RateLimited, ProviderUnavailable: Trying again can help.
        ProviderDenied: It cannot.
    """
    made = kind(
        api_key=endpoint.key.get_secret_value(),
        base_url=endpoint.base_url,
        timeout=sdk.Timeout(CALL_S, connect=_CONNECT_S),
        max_retries=0,
    )
    with _translated(sdk, call):
        async with asyncio.timeout(CALL_S), made as client:
            yield client


@contextmanager
def _translated(sdk: ModuleType, call: Call) -> Iterator[None]:
    try:
        yield
    except sdk.APIStatusError as exc:
        code = getattr(exc, "error_code", None) or getattr(exc, "code", None) or exc.type
        raise _refused(call, exc.status_code, code, exc.response.headers) from None
    except (sdk.APITimeoutError, TimeoutError) as exc:
        raise call.timed_out() from exc
    except (sdk.APIConnectionError, httpx2.RequestError, CutOff, json.JSONDecodeError) as exc:
        raise call.lost(exc) from exc


def _refused(call: Call, status: int, code: object, headers: Any) -> ProviderError:
    """The error for a status that is no success, without the provider's words: they may quote one prompt of many."""
    told = {"code": code} if isinstance(code, str) else {}
    return call.refused(failure_of(told, status, headers))


def check_id(given: Any) -> str:
    """The id itself, if a provider could have given it.

    Raises:
        ConfigError: If it is something else.

    >>> check_id("batch_abc123")
    'batch_abc123'
    """
    if not isinstance(given, str) or not _ID.fullmatch(given):
        raise ConfigError("a batch or file id is not made of 1 to 128 letters, digits, _ and -: the record was changed")
    return given


def given_id(data: dict[str, Any]) -> str:
    """The id in a provider's reply.

    Raises:
        CutOff: If there is none.
    """
    try:
        return check_id(data.get("id"))
    except ConfigError:
        raise CutOff("the reply holds no id") from None


async def json_lines(chunks: AsyncIterator[bytes]) -> AsyncGenerator[dict[str, Any] | None, None]:
    """The JSON object of each line; `None` where the line holds something else.

    Lines end with a line feed and nothing else: inside a JSON string there may be other line ends of Unicode.
    """
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line.strip():
                yield _object(line)
    if rest.strip():
        yield _object(rest)


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None
