"""`provider_for`, the scripted provider and keys."""

import asyncio
import json
import subprocess
import sys
import traceback

import pytest
from pydantic import SecretStr

from hitl_prefect.errors import ConfigError, ProviderUnavailable, RateLimited
from hitl_prefect.messages import Message
from hitl_prefect.protocols import Provider, Reply, Request, Token
from hitl_prefect.providers import provider_for
from hitl_prefect.providers.anthropic import AnthropicProvider
from hitl_prefect.providers.openai import OpenAIProvider
from hitl_prefect.providers.scripted import ScriptedProvider, Step, register

REQUEST = Request(messages=(Message(role="user", content="Which?"),), answer=str)


@pytest.fixture
def keys(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-a")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-b")


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("model", "kind"),
    [("openai:gpt-5-mini", OpenAIProvider), ("anthropic:claude-haiku-4-5", AnthropicProvider)],
)
def test_provider_and_name_are_found(model, kind):
    provider = provider_for(model)

    assert isinstance(provider, kind)
    assert isinstance(provider, Provider)
    assert f"{provider.name}:{provider.model}" == model


@pytest.mark.usefixtures("keys")
def test_a_model_name_may_hold_colons():
    """As fine-tuned models do."""
    assert provider_for("openai:ft:gpt-4.1:acme::x1").model == "ft:gpt-4.1:acme::x1"


@pytest.mark.parametrize("model", ["gpt-5-mini", "azure:gpt", ""])
def test_an_unknown_provider_names_the_known_ones(model):
    with pytest.raises(ConfigError, match="'openai:…', 'anthropic:…', 'embedded:…' or 'scripted:…'"):
        provider_for(model)


@pytest.mark.parametrize("model", ["openai:", "scripted:"])
def test_a_provider_alone_is_not_a_model(model):
    with pytest.raises(ConfigError, match="names no model"):
        provider_for(model)


@pytest.mark.parametrize("key", [None, "", " "])
@pytest.mark.parametrize("model", ["openai:m", "anthropic:m"])
def test_a_missing_key_is_told_before_any_call(monkeypatch, model, key):
    variable = f"{model.split(':')[0].upper()}_API_KEY"
    monkeypatch.delenv(variable, raising=False)
    if key is not None:
        monkeypatch.setenv(variable, key)

    with pytest.raises(ConfigError, match=f"set {variable}"):
        provider_for(model)


@pytest.mark.parametrize("key", ["sk-hidden\nabc", "sk-hidden abc", "sk-hiddén"])
@pytest.mark.parametrize("kind", [OpenAIProvider, AnthropicProvider])
def test_a_key_that_no_header_can_hold_is_told_before_any_call(kind, key):
    """A key that was pasted with a line break would stand in the error of every call."""
    with pytest.raises(ConfigError, match="holds a space, a line break") as refused:
        kind("m", api_key=SecretStr(key))

    assert "hidd" not in str(refused.value)


@pytest.mark.parametrize("url", ["localhost:8000/v1", "me:hidden@example.com", "http://[::bad", "ftp://example.com"])
@pytest.mark.parametrize("kind", [OpenAIProvider, AnthropicProvider])
def test_a_base_url_that_is_none_is_told_before_any_call(kind, url):
    """The value is not shown: it may hold a password."""
    with pytest.raises(ConfigError, match=r"the base URL is no http\(s\) address; correct \w+_BASE_URL") as caught:
        kind("m", api_key=SecretStr("k"), base_url=url)

    assert url not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("kind", [OpenAIProvider, AnthropicProvider])
def test_a_key_shows_up_in_no_repr(kind):
    provider = kind("m", api_key=SecretStr("sk-hidden"))

    assert "sk-hidden" not in repr(provider) + repr(vars(provider))


def test_importing_the_package_loads_no_sdk():
    loaded = "import hitl_prefect.providers, sys; print({'openai', 'anthropic', 'sklearn'} & set(sys.modules))"

    assert subprocess.check_output([sys.executable, "-c", loaded], text=True).strip() == "set()"


async def test_steps_are_played_in_order_and_the_last_repeats():
    provider = ScriptedProvider(["a", ProviderUnavailable("gone"), Step(text="b", probability=0.5)])

    replies = [await provider.generate(REQUEST)]
    with pytest.raises(ProviderUnavailable, match="gone"):
        await provider.generate(REQUEST)
    replies += [await provider.generate(REQUEST) for _ in range(2)]

    last = Reply(text="b", finish="stop", model="script", probability=0.5)
    assert replies == [Reply(text="a", finish="stop", model="script"), last, last]
    assert provider.calls == 4
    assert provider.requests == [REQUEST] * 4


async def test_a_registered_script_is_found_by_name():
    registered = register("mine", ["a"])
    await provider_for("scripted:mine").generate(REQUEST)

    assert provider_for("scripted:mine") is registered
    assert registered.calls == 1


def test_a_script_that_nobody_registered_is_told():
    with pytest.raises(ConfigError, match="no script 'nobody' is registered"):
        provider_for("scripted:nobody")


def test_a_script_without_steps_is_refused():
    with pytest.raises(ConfigError, match="has no steps"):
        ScriptedProvider([])


@pytest.fixture
def script(tmp_path):
    """A script in a file with one step of each kind."""
    steps = [
        {"text": "a", "tokens": [["a", -0.5]]},
        {"error": "RateLimited", "retry_after_s": 2},
        {"error": "ProviderUnavailable"},
        {"text": "no", "refusal": True},
        {"text": "cut", "truncated": True, "delay_s": 0.01},
    ]
    path = tmp_path / "script.json"
    path.write_text(json.dumps(steps))
    return path


async def test_a_script_may_stand_in_a_file(script):
    provider = provider_for(f"scripted:{script}")

    first = await provider.generate(REQUEST)
    with pytest.raises(RateLimited) as limited:
        await provider.generate(REQUEST)
    with pytest.raises(ProviderUnavailable):
        await provider.generate(REQUEST)
    rest = [await provider.generate(REQUEST) for _ in range(2)]

    assert first == Reply(text="a", finish="stop", model="script", tokens=(Token(text="a", logprob=-0.5),))
    assert limited.value.retry_after_s == 2
    assert [(reply.text, reply.finish) for reply in rest] == [("no", "refusal"), ("cut", "length")]


def test_the_place_in_a_file_is_shared_by_processes(script):
    """Two processes never play the same step, and every call is one line in the file next to it."""
    script.write_text(json.dumps([{"text": str(place)} for place in range(20)]))
    code = """
import asyncio, sys
from hitl_prefect.providers import provider_for
from hitl_prefect.protocols import Request
provider = provider_for(sys.argv[1])
async def play():
    for _ in range(5):
        print((await provider.generate(Request(messages=(), answer=str))).text)
asyncio.run(play())
"""
    started = [
        subprocess.Popen([sys.executable, "-c", code, f"scripted:{script}"], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    played = [int(text) for process in started for text in process.communicate(timeout=60)[0].split()]

    assert sorted(played) == list(range(10))
    assert ScriptedProvider.from_file(script).calls == 10
    assert len(script.with_name("script.json.calls").read_text().splitlines()) == 10


@pytest.mark.parametrize("content", ["", "{}", "[]", '[{"txt": "a"}]', '[{"error": "Nonsense"}]'])
def test_a_file_that_holds_no_script_is_refused(tmp_path, content):
    path = tmp_path / "script.json"
    path.write_text(content)

    with pytest.raises(ConfigError, match="script"):
        provider_for(f"scripted:{path}")


def test_a_file_that_is_missing_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"missing\.json"):
        provider_for(f"scripted:{tmp_path / 'missing.json'}")


async def test_calls_side_by_side_take_one_step_each(script):
    script.write_text(json.dumps([{"text": str(place), "delay_s": 0.01} for place in range(8)]))
    provider = provider_for(f"scripted:{script}")
    replies = await asyncio.gather(*(provider.generate(REQUEST) for _ in range(8)))

    assert sorted(int(reply.text) for reply in replies) == list(range(8))
