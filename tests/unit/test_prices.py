"""What a call costs: by the table of the package, and by the user's own."""

import json
import os
import re

import pytest

from hitl_prefect.errors import ConfigError
from hitl_prefect.models import Usage
from hitl_prefect.prices import LongPrompt, Price, cost_usd, price_of, price_table

MILLION = 1_000_000


def used(input_tokens=MILLION, output_tokens=0, **more):
    return Usage(input_tokens=input_tokens, output_tokens=output_tokens, **more)


@pytest.fixture
def own_prices(tmp_path, monkeypatch):
    """Says what the user's own file holds."""

    def write(content):
        path = tmp_path / "prices.json"
        path.write_text(content if isinstance(content, str) else json.dumps({"prices": content}))
        monkeypatch.setenv("HITL_PRICES", str(path))
        return path

    return write


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ("gpt-5-mini", "gpt-5-mini"),
        ("gpt-5-mini-2025-08-07", "gpt-5-mini"),
        ("gpt-5-2025-08-07", "gpt-5"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
    ],
)
def test_a_model_is_found_by_its_name_and_without_its_date(model, named):
    assert price_of("openai", model) == price_table().prices["openai"][named]


def test_anthropics_dates_are_found_too():
    assert price_of("anthropic", "claude-haiku-4-5-20251001") == Price(input=1, cached_input=0.1, output=5)


@pytest.mark.parametrize("model", ["gpt-5-turbo", "gpt-5-mini-fast", "gpt", "gpt-5-mini-2025", "openai/gpt-5", ""])
def test_a_model_that_only_begins_like_another_has_no_price(model):
    """An unknown price is `None`, never that of a neighbour and never 0."""
    assert (price_of("openai", model), cost_usd("openai", model, used())) == (None, None)


def test_input_cache_and_output_have_their_own_prices():
    """Cached tokens are a part of the input, reasoning tokens a part of the output: neither is paid for twice."""
    usage = used(1000, 500, cached_tokens=400, reasoning_tokens=300)

    assert cost_usd("openai", "gpt-5", usage) == pytest.approx((600 * 1.25 + 400 * 0.125 + 500 * 10) / MILLION)


def test_a_batch_costs_half():
    usage = used(1000, 500)

    assert cost_usd("anthropic", "claude-opus-5", usage, batch=True) == pytest.approx(
        cost_usd("anthropic", "claude-opus-5", usage) / 2
    )


@pytest.mark.parametrize(("tokens", "usd"), [(100_000, 0.01 + 0.5), (100_001, 0.0500005 + 2.5)])
def test_a_long_prompt_makes_every_token_of_the_call_dearer(tokens, usd):
    """Claude Haiku 5.5 costs five times as much above 100,000 prompt tokens, output included."""
    assert cost_usd("anthropic", "claude-haiku-5-5", used(tokens, MILLION)) == pytest.approx(usd)


@pytest.mark.parametrize("usage", [Usage(), Usage(input_tokens=5), Usage(output_tokens=5)])
def test_what_was_not_counted_has_no_cost(usage):
    assert cost_usd("openai", "gpt-5", usage) is None


@pytest.mark.parametrize("provider", ["embedded", "scripted"])
def test_models_that_run_here_cost_nothing(provider):
    """Counted or not."""
    assert [cost_usd(provider, "any", usage) for usage in (Usage(), used())] == [0, 0]


def test_the_users_own_prices_are_laid_over_ours(own_prices):
    """A model of another server, one that ours has too, and every other one of a server."""
    own_prices(
        {
            "openai": {
                "gpt-5": {"input": 7, "output": 8},
                "llama": {"input": 1, "output": 2, "long_prompt": {"above_tokens": 9, "input": 3, "output": 4}},
            },
            "anthropic": {"*": {"input": 0, "output": 0}},
        }
    )

    assert [
        price_of("openai", "gpt-5-2025-08-07"),
        price_of("openai", "llama"),
        price_of("openai", "gpt-5-mini"),
        price_of("anthropic", "claude-next"),
        price_of("anthropic", "claude-sonnet-5"),
    ] == [
        Price(input=7, output=8),
        Price(input=1, output=2, long_prompt=LongPrompt(above_tokens=9, input=3, output=4)),
        Price(input=0.25, cached_input=0.025, output=2),
        Price(input=0, output=0),
        Price(input=2, cached_input=0.2, output=10),
    ]


def test_without_a_price_for_the_cache_it_is_as_dear_as_any_input(own_prices):
    own_prices({"openai": {"mine": {"input": 2, "output": 2}}})

    assert cost_usd("openai", "mine", used(cached_tokens=MILLION)) == pytest.approx(2)


def test_a_file_that_changes_is_read_again(own_prices):
    path = own_prices({"openai": {"mine": {"input": 1, "output": 1}}})
    before = price_of("openai", "mine")
    own_prices({"openai": {"mine": {"input": 2, "output": 2}}})
    os.utime(path, ns=(0, 0))

    assert (before, price_of("openai", "mine")) == (Price(input=1, output=1), Price(input=2, output=2))


@pytest.mark.parametrize("content", ["", "{}", '{"prices": {"openai": {"m": {"input": -1, "output": 1}}}}'])
def test_a_file_that_holds_no_prices_is_an_error_that_names_it(own_prices, content):
    path = own_prices(content)
    with pytest.raises(ConfigError, match=re.escape(f"HITL_PRICES={str(path)!r} holds no price table")):
        price_of("openai", "gpt-5")


def test_a_file_that_is_not_there_is_an_error_that_names_it(monkeypatch):
    monkeypatch.setenv("HITL_PRICES", "/nowhere/prices.json")
    with pytest.raises(ConfigError, match=re.escape("HITL_PRICES='/nowhere/prices.json' cannot be read")):
        price_of("openai", "gpt-5")


def test_the_table_says_when_and_where_it_was_looked_up():
    table = price_table()

    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", table.as_of)
    assert all("https://" in source for source in table.sources)
    assert len(table.sources) == 2
