"""What both wires share: the key, the deadline, and turning a failed HTTP call into an error of ours.

An error message names the model, the HTTP status, the provider's code and what to do next. It holds no key and no
prompt, though providers like to quote both.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any, Literal

from pydantic import AnyHttpUrl, SecretStr, TypeAdapter, ValidationError

from hitl_prefect.errors import ConfigError, ProviderDenied, ProviderError, ProviderUnavailable, RateLimited
from hitl_prefect.protocols import Request

__all__ = ["Call", "CutOff", "Endpoint", "Failure", "endpoint", "json_object", "retry_after"]

_LONGEST = 200
"""Characters of a provider's own words that an error message keeps."""
_QUOTED = 16
"""So many characters in common with the prompt count as a quotation of it."""
_WEB_ADDRESS: TypeAdapter[AnyHttpUrl | None] = TypeAdapter(AnyHttpUrl | None)
_KEY = re.compile(r"\bsk-[\w*.-]{4,}")
_TRY_AGAIN = {408, 409, 425}
_NEXT_STEP = {
    401: "check the key, in the environment or in the saved block",
    402: "add credit to the account, or use another key",
    403: "give the key access to this model, or use another one",
    404: "check the model's name and the base URL",
    413: "shorten the prompt",
    429: "add credit to the account or raise its limit: waiting does not help",
}


@dataclass(frozen=True)
class Endpoint:
    """Where to ask, with what, and for how long."""

    sdk: Literal["openai", "anthropic"]
    key: SecretStr
    base_url: str | None
    timeout_s: float
    """The longest that one call may take, all in all."""


def endpoint(
    sdk: Literal["openai", "anthropic"], api_key: SecretStr | None, base_url: str | None, timeout_s: float
) -> Endpoint:
    """What was given, and the SDK's environment variables for the rest.

    Raises:
        ConfigError: If there is no key, or the base URL is no web address.
    """
    return Endpoint(sdk, _key(f"{sdk.upper()}_API_KEY", api_key), _url(f"{sdk.upper()}_BASE_URL", base_url), timeout_s)


def _key(variable: str, given: SecretStr | None) -> SecretStr:
    key = given.get_secret_value() if given else os.environ.get(variable, "")
    if not key.strip():
        raise ConfigError(f"no API key: set {variable}, or save one in a model block (`blocks/save_blocks.py`)")
    return SecretStr(key.strip())


def _url(variable: str, given: str | None) -> str | None:
    url = given or os.environ.get(variable)
    try:
        _WEB_ADDRESS.validate_python(url)
    except ValidationError:
        # Neither the value nor the cause, which quotes it: some base URLs hold a password.
        raise ConfigError(f"the base URL is no http(s) address; correct {variable}, or the saved block") from None
    return url


class CutOff(Exception):
    """The body of a reply is not whole, or is not a reply."""


@dataclass(frozen=True)
class Failure:
    """What the provider sent in place of a reply."""

    status: int
    code: str
    """The provider's own name for the error; empty where it gives none."""
    message: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Call:
    """One call on the wire, seen from the errors that may come of it."""

    model: str
    endpoint: Endpoint
    request: Request

    @property
    def _who(self) -> str:
        return f"{self.endpoint.sdk}:{self.model}"

    def refused(self, failure: Failure) -> ProviderError:
        """The error for an HTTP status that is not a success."""
        said = f"HTTP {failure.status}{_spaced(failure.code)}{self._quoted(failure.message)}"
        # OpenAI answers 429 for an empty account too; no waiting mends that.
        if failure.status == 429 and failure.code != "insufficient_quota":
            wait_s = retry_after(failure.headers)
            when = "later" if wait_s is None else f"in {wait_s:g} s"
            return RateLimited(f"{self._who} asks to slow down: {said}; try again {when}", wait_s)
        if failure.status >= 500 or failure.status in _TRY_AGAIN:
            return ProviderUnavailable(f"{self._who} is not available: {said}; try again later")
        next_step = _NEXT_STEP.get(failure.status, "change the prompt or the answer type")
        return ProviderDenied(f"{self._who} refused the request: {said}; {next_step}")

    def lost(self, exc: Exception) -> ProviderUnavailable:
        """The error for a connection that brought no whole reply."""
        why = f"{exc} ({exc.__cause__})" if exc.__cause__ else str(exc)
        return ProviderUnavailable(f"{self._who} gave no reply: {why}; try again later")

    def timed_out(self) -> ProviderUnavailable:
        """The error for a call that took too long."""
        return ProviderUnavailable(f"{self._who} gave no reply within {self.endpoint.timeout_s:g} s; try again later")

    def _quoted(self, message: str) -> str:
        """The provider's words, shortened, or nothing where they hold a piece of the prompt."""
        said = " ".join(message.replace(self.endpoint.key.get_secret_value(), "[key]").split())
        said = _KEY.sub("[key]", said)[:_LONGEST]
        if not said or any(_quotes(said, one.text) for one in self.request.messages):
            return ""
        return f" ({said})"


def _spaced(code: str) -> str:
    return f" {code[:_LONGEST]}" if code else ""


def _quotes(said: str, content: str) -> bool:
    prompt = " ".join(content.split())
    if len(prompt) <= _QUOTED:
        return bool(prompt) and prompt in said
    return any(said[start : start + _QUOTED] in prompt for start in range(len(said) - _QUOTED + 1))


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


def json_object(body: bytes) -> dict[str, Any]:
    """A JSON object as it came over the wire.

    Raises:
        CutOff: If the body ends too early, or is something else.
    """
    try:
        data = json.loads(body)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise CutOff("the reply is no JSON object, or was cut off")
    return data
