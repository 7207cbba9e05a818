"""Keys are in nothing that is shown, stored, logged or sent to the wrong place."""

import logging

import pytest
from pydantic import SecretStr
from pydantic_core import to_json

from hitl_prefect.blocks import AnthropicModel, OpenAIModel, S3StoreBlock
from hitl_prefect.errors import ProviderError, StoreError
from hitl_prefect.messages import Message
from hitl_prefect.protocols import Request
from hitl_prefect.providers.anthropic import AnthropicProvider
from hitl_prefect.providers.openai import OpenAIProvider
from hitl_prefect.stores import S3Store
from tests.wire.loopback import LoopbackAI, Said

KEY = "sk-abcdefghijklmnop0123456789"
PROMPT = "My parcel is lost."
NOBODY = "http://127.0.0.1:9"
HOLDERS = [
    OpenAIProvider("m", api_key=SecretStr(KEY), base_url=NOBODY),
    AnthropicProvider("m", api_key=SecretStr(KEY), base_url=NOBODY),
    S3Store("b", endpoint_url=NOBODY, aws_access_key_id="AK", aws_secret_access_key=KEY, aws_session_token=KEY),
    OpenAIModel(model="m", api_key=KEY),
    AnthropicModel(model="m", api_key=KEY),
    S3StoreBlock(bucket="b", aws_secret_access_key=KEY, aws_session_token=KEY),
]


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda one: type(one).__name__)
def test_no_key_is_shown_by_what_holds_it(holder):
    """Neither printed, nor in a traceback with values, nor as JSON."""
    shown = f"{holder!r} {holder!s} {getattr(holder, 'url', '')} {vars(holder)!r}"
    written = (
        holder.model_dump_json()
        if hasattr(holder, "model_dump_json")
        else to_json(vars(holder), fallback=repr).decode()
    )

    assert KEY not in shown + written


@pytest.mark.parametrize("kind", [OpenAIProvider, AnthropicProvider])
@pytest.mark.parametrize("status", [200, 401, 500])
async def test_no_log_of_ours_or_of_an_sdk_holds_a_key_or_a_prompt(kind, status, caplog):
    """Whatever its level, as long as nobody has switched an SDK's own debugging on."""
    caplog.set_level(logging.INFO)
    with LoopbackAI(Said('{"answer": "yes"}', status=status)) as ai:
        url = ai.openai_url if kind is OpenAIProvider else ai.url
        provider = kind("m", api_key=SecretStr(KEY), base_url=url)
        try:
            await provider.generate(Request(messages=(Message(role="user", content=PROMPT),), answer=str))
        except ProviderError as exc:
            logging.getLogger("hitl").warning("%s", exc, exc_info=True)

    assert KEY not in caplog.text
    assert PROMPT not in caplog.text


def test_no_log_of_a_store_that_is_away_holds_a_key(caplog):
    caplog.set_level(logging.INFO)
    try:
        HOLDERS[2].get("a.json")
    except StoreError as exc:
        logging.getLogger("hitl").warning("%s", exc, exc_info=True)

    assert "AK" not in caplog.text
    assert KEY not in caplog.text
    assert caplog.text
