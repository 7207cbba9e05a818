"""What a call costs, by a price table that the user can override.

The table is `data/prices.json`, with its date and its sources. The environment variable `HITL_PRICES` names a JSON file
of the same shape that is laid over it. Prices go by provider and name of the model, also behind another base URL: what
your server charges, or that it is free, you say in your own file, with `"*"` for every model that is not named.
"""

import os
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import Field, ValidationError

from hitl_prefect.errors import ConfigError
from hitl_prefect.frozen import Frozen
from hitl_prefect.models import Usage

__all__ = ["Price", "PriceTable", "Rates", "cost_usd", "price_of", "price_table"]

_ANY = "*"
_DATED = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8})$")
_MILLION = 1_000_000


class Rates(Frozen):
    """US dollars per million tokens."""

    input: float = Field(ge=0)
    cached_input: float | None = Field(default=None, ge=0)
    """Input that the provider read from its cache; as dear as any other where not given."""
    output: float = Field(ge=0)
    """Reasoning included."""

    def cost(self, input_tokens: int, cached_tokens: int, output_tokens: int) -> float:
        """US dollars; the cached tokens are a part of the input tokens."""
        cached = min(cached_tokens, input_tokens)
        cached_rate = self.input if self.cached_input is None else self.cached_input
        return ((input_tokens - cached) * self.input + cached * cached_rate + output_tokens * self.output) / _MILLION


class LongPrompt(Rates):
    """What every token of a call costs whose prompt is long."""

    above_tokens: int = Field(gt=0)
    """A prompt of more input tokens than this is long."""


class Price(Rates):
    """What a model costs."""

    batch_factor: float = Field(default=0.5, ge=0, le=1)
    """What a batch costs, as a share of the price of single calls."""
    long_prompt: LongPrompt | None = None

    @property
    def free(self) -> bool:
        """Whether no call costs anything."""
        return not (self.input or self.cached_input or self.output or self.long_prompt)

    def rates_for(self, input_tokens: int) -> Rates:
        """The rates of a call with a prompt of this length."""
        long = self.long_prompt
        return long if long and input_tokens > long.above_tokens else self


class PriceTable(Frozen):
    """Prices by provider and model."""

    as_of: str = ""
    """The day on which the prices were looked up."""
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    prices: dict[str, dict[str, Price]]
    """By provider, then by model; `*` is any other model of that provider."""

    def over(self, below: "PriceTable") -> "PriceTable":
        """This table laid over another one, model by model."""
        providers = {**below.prices, **self.prices}
        merged = {name: below.prices.get(name, {}) | self.prices.get(name, {}) for name in providers}
        return self.model_copy(update={"prices": merged})

    def find(self, provider: str, model: str) -> Price | None:
        """The price of a model, by its exact name, then without the date at its end, then by `*`."""
        named: Mapping[str, Price] = self.prices.get(provider, {})
        return named.get(model) or named.get(_DATED.sub("", model)) or named.get(_ANY)


def price_of(provider: str, model: str) -> Price | None:
    """The price of a model; `None` where nobody knows it, which is not 0.

    Raises:
        ConfigError: If the file that `HITL_PRICES` names cannot be read.

    >>> price_of("openai", "gpt-5-mini-2025-08-07").output
    2.0
    >>> price_of("openai", "gpt-5-mini-turbo") is None
    True
    """
    return price_table().find(provider, model)


def cost_usd(provider: str, model: str, usage: Usage, *, batch: bool = False) -> float | None:
    """US dollars of one call; `None` where the table has no such model or the provider counted nothing.

    Writing to a provider's cache, tools and regional surcharges are not counted.

    Args:
        provider: `openai`, `anthropic`, `embedded`, `scripted`.
        model: The model's name, as it was asked for or as the provider answers.
        usage: What the provider counted.
        batch: Whether the call came by a batch, at the batch price.

    Raises:
        ConfigError: If the file that `HITL_PRICES` names cannot be read.

    >>> cost_usd("openai", "gpt-5-mini", Usage(input_tokens=1_000_000, output_tokens=1_000_000))
    2.25
    """
    price = price_of(provider, model)
    if price is None or price.free:
        return None if price is None else 0.0
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    rates = price.rates_for(usage.input_tokens)
    cost = rates.cost(usage.input_tokens, usage.cached_tokens or 0, usage.output_tokens)
    return cost * price.batch_factor if batch else cost


def price_table() -> PriceTable:
    """Our table, with the one that `HITL_PRICES` names laid over it.

    Raises:
        ConfigError: If that file cannot be read, or holds something else.
    """
    path = os.environ.get("HITL_PRICES")
    if not path:
        return _ours()
    try:
        return _theirs(path, Path(path).stat().st_mtime_ns)
    except OSError as exc:
        raise ConfigError(f"HITL_PRICES={path!r} cannot be read ({exc}); correct the path, or unset it") from exc


@cache
def _ours() -> PriceTable:
    return PriceTable.model_validate_json(files("hitl_prefect").joinpath("data", "prices.json").read_bytes())


@cache
def _theirs(path: str, changed_ns: int) -> PriceTable:  # noqa: ARG001 - a file that has changed is read again
    try:
        return PriceTable.model_validate_json(Path(path).read_bytes()).over(_ours())
    except ValidationError as exc:
        raise ConfigError(
            f"HITL_PRICES={path!r} holds no price table such as "
            f'{{"prices": {{"openai": {{"my-model": {{"input": 0.5, "output": 2}}}}}}}}: {exc}'
        ) from exc
