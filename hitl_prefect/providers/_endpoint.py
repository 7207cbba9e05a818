"""Where a provider is asked, with which key, and for how long."""

import os
from dataclasses import dataclass
from typing import Literal

from pydantic import AnyHttpUrl, SecretStr, TypeAdapter, ValidationError

from hitl_prefect.errors import ConfigError
from hitl_prefect.protocols import Request
from hitl_prefect.provider_keys import KEYS

__all__ = ["Endpoint", "endpoint"]

_WEB_ADDRESS: TypeAdapter[AnyHttpUrl | None] = TypeAdapter(AnyHttpUrl | None)


@dataclass(frozen=True)
class Endpoint:
    """Where to ask, with what, and for how long."""

    sdk: Literal["openai", "anthropic"]
    key: SecretStr
    base_url: str | None
    timeout_s: float
    """The longest that one call may take, all in all."""
    max_tokens: int | None = None
    """The most that a reply may take, reasoning included; `None`: what the model gives."""

    def limited(self, request: Request) -> Request:
        """The request, with our limit where it has none of its own."""
        if request.max_tokens is not None or self.max_tokens is None:
            return request
        return request.model_copy(update={"max_tokens": self.max_tokens})


def endpoint(
    sdk: Literal["openai", "anthropic"],
    api_key: SecretStr | None,
    base_url: str | None,
    timeout_s: float,
    max_tokens: int | None = None,
) -> Endpoint:
    """What was given, and the SDK's environment variables for the rest.

    Raises:
        ConfigError: If there is no key, or the base URL is no web address.
    """
    key, url = _key(KEYS[sdk], api_key), _url(f"{sdk.upper()}_BASE_URL", base_url)
    return Endpoint(sdk, key, url, timeout_s, max_tokens)


def _key(variable: str, given: SecretStr | None) -> SecretStr:
    key = given.get_secret_value() if given else os.environ.get(variable, "")
    if not key.strip():
        raise ConfigError(f"no API key: set {variable}, or save one in a model block (`blocks/save_blocks.py`)")
    if not all("!" <= character <= "~" for character in key.strip()):
        raise ConfigError(f"the API key holds a space, a line break or a character that no key has; correct {variable}")
    return SecretStr(key.strip())


def _url(variable: str, given: str | None) -> str | None:
    url = given or os.environ.get(variable)
    try:
        _WEB_ADDRESS.validate_python(url)
    except ValidationError:
        # Neither the value nor the cause, which quotes it: some base URLs hold a password.
        raise ConfigError(f"the base URL is no http(s) address; correct {variable}, or the saved block") from None
    return url
