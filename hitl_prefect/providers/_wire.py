"""What goes wrong on either wire becomes one error of ours.

An error message names the model, the HTTP status, the provider's code and what to do next. It holds no key and no
prompt, though providers like to quote both.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from types import ModuleType

import httpx2

from hitl_prefect.errors import ProviderDenied, ProviderError, ProviderUnavailable, RateLimited
from hitl_prefect.messages import Message
from hitl_prefect.providers._endpoint import Endpoint

__all__ = ["Call", "CutOff", "ErrorInReply", "Failure", "failure_of", "retry_after", "translated"]

_LONGEST = 200
"""Characters of a provider's own words that an error message keeps."""
_QUOTED = 16
"""So many characters in common with the prompt count as a quotation of it."""
_KEY = re.compile(r"\bsk-[\w*.-]{4,}")
_CODE = re.compile(r"[\w.-]{1,64}")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_TRY_AGAIN = {408, 409, 425}
_NEXT_STEP = {
    401: "check the key, in the environment or in the saved block",
    402: "add credit to the account, or use another key",
    403: "give the key access to this model, or use another one",
    404: "check the model's name and the base URL",
    413: "shorten the prompt",
    429: "add credit to the account or raise its limit: waiting does not help",
}


_STATUS_OF = {
    "authentication_error": 401,
    "billing_error": 402,
    "bio_policy": 400,
    "data_residency_mismatch": 400,
    "image_too_large": 413,
    "insufficient_quota": 429,
    "invalid_api_key": 401,
    "invalid_image": 400,
    "invalid_image_url": 400,
    "invalid_prompt": 400,
    "invalid_request_error": 400,
    "misalignment_policy_violation": 400,
    "not_found_error": 404,
    "overloaded_error": 529,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "request_too_large": 413,
}
"""What an error inside a reply would have been as an HTTP status; any other is the server's own fault."""


class CutOff(Exception):
    """The body of a reply is not whole, or is not a reply."""


class ErrorInReply(Exception):
    """The provider said 200, and then sent an error in place of the reply or of its end."""

    def __init__(self, body: object) -> None:
        super().__init__("the reply holds an error")
        self.body = body


@dataclass(frozen=True)
class Failure:
    """What the provider sent in place of a reply."""

    status: int
    code: str
    """The provider's own name for the error; empty where it gives none."""
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
    where: str = ""
    """The HTTP status in words, or that the error came inside of a reply."""


def failure_of(body: object, status: int | None = None, headers: Mapping[str, str] | None = None) -> Failure:
    """The failure in the error body of either provider, with or without its envelope; `status` is that of HTTP."""
    error = body.get("error", body) if isinstance(body, dict) else body
    error = error if isinstance(error, dict) else {"message": error}
    details = error.get("details")
    precise = details.get("error_code") if isinstance(details, dict) else None
    code = str(precise or error.get("code") or error.get("type") or "")
    where = "error inside the reply:" if status is None else f"HTTP {status}"
    message = str(error.get("message") or "") if isinstance(body, dict) else ""
    return Failure(status or _STATUS_OF.get(code, 500), code, message, headers or {}, where)


@dataclass(frozen=True)
class Call:
    """One call on the wire, seen from the errors that may come of it."""

    model: str
    endpoint: Endpoint
    messages: tuple[Message, ...]

    @property
    def _who(self) -> str:
        return f"{self.endpoint.sdk}:{self.model}"

    def refused(self, failure: Failure) -> ProviderError:
        """The error for an HTTP status that is not a success."""
        said = f"{failure.where}{_spaced(failure.code)}{self._quoted(failure.message)}"
        # OpenAI answers 429 for an empty account too; no waiting mends that.
        wait_s = retry_after(failure.headers)
        when = "later" if wait_s is None else f"in {wait_s:g} s"
        if failure.status == 429 and failure.code != "insufficient_quota":
            return RateLimited(f"{self._who} asks to slow down: {said}; try again {when}", wait_s)
        if failure.status >= 500 or failure.status in _TRY_AGAIN:
            return ProviderUnavailable(f"{self._who} is not available: {said}; try again {when}", wait_s)
        next_step = _NEXT_STEP.get(failure.status, "change the prompt or the answer type")
        return ProviderDenied(f"{self._who} refused the request: {said}; {next_step}")

    def lost(self, exc: Exception) -> ProviderUnavailable:
        """The error for a connection that brought no whole reply."""
        why = f"{exc} ({exc.__cause__})" if exc.__cause__ else str(exc)
        return ProviderUnavailable(f"{self._who} gave no reply: {self._without_key(why)}; try again later")

    def timed_out(self) -> ProviderUnavailable:
        """The error for a call that took too long."""
        return ProviderUnavailable(f"{self._who} gave no reply within {self.endpoint.timeout_s:g} s; try again later")

    def _quoted(self, message: str) -> str:
        """The provider's words, shortened, or nothing where they hold a piece of the prompt."""
        said = self._without_key(" ".join(message.split()))[:_LONGEST]
        if not said or any(_quotes(said, content) for one in self.messages for content in _contents(one)):
            return ""
        return f" ({said})"

    def _without_key(self, text: str) -> str:
        return _KEY.sub("[key]", text.replace(self.endpoint.key.get_secret_value(), "[key]"))


def _spaced(code: str) -> str:
    """A code as providers write them, such as `rate_limit_exceeded`; anything else might quote."""
    return f" {code}" if _CODE.fullmatch(code) and not _KEY.search(code) else ""


def _contents(message: Message) -> Iterator[str]:
    for piece in message.pieces:
        yield piece if isinstance(piece, str) else piece.data or piece.url or ""


def _quotes(said: str, content: str) -> bool:
    prompt, plain = " ".join(content.split()), _ESCAPED.sub(lambda found: chr(int(found[1], 16)), said)
    if len(prompt) <= _QUOTED:
        return bool(prompt) and prompt in plain
    pieces = (plain[start : start + _QUOTED] for start in range(max(1, len(plain) - _QUOTED + 1)))
    return any(piece in prompt for piece in pieces)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the provider asks us to wait, where it says so; at least 0.

    >>> retry_after({"retry-after-ms": "1500", "retry-after": "2"})
    1.5
    """
    for name, per_second in (("retry-after-ms", 1000), ("retry-after", 1)):
        wait = _number(headers.get(name))
        if wait is not None:
            return max(0.0, wait / per_second)
    return _seconds_until(headers.get("retry-after"))


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if isfinite(number) else None


def _seconds_until(date: str | None) -> float | None:
    try:
        moment = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


@contextmanager
def translated(call: Call, sdk: ModuleType) -> Iterator[None]:
    """Turn what the SDK raises, and what its HTTP client raises under a stream, into an error of ours.

    Raises:
        RateLimited, ProviderUnavailable, ProviderDenied: As the failure is.
    """
    try:
        yield
    except sdk.APIStatusError as exc:
        # Without its cause: the SDK's message quotes the body, and the body may quote the prompt or the key.
        raise call.refused(failure_of(exc.body, exc.status_code, exc.response.headers)) from None
    except ErrorInReply as exc:
        raise call.refused(failure_of(exc.body)) from None
    except (sdk.APITimeoutError, httpx2.TimeoutException, TimeoutError) as exc:
        raise call.timed_out() from exc
    except (sdk.APIConnectionError, httpx2.RequestError, CutOff) as exc:
        raise call.lost(exc) from exc
