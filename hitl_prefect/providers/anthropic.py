"""Claude, behind Anthropic's API."""

import asyncio

import anthropic
from pydantic import SecretStr

from hitl_prefect.batch_protocol import Batches
from hitl_prefect.protocols import OnText, Reply, Request
from hitl_prefect.providers._claude import MessageAssembly, MessageBody, asked_of_messages, message_reply
from hitl_prefect.providers._clients import client_of, sending
from hitl_prefect.providers._endpoint import Endpoint, endpoint
from hitl_prefect.providers._exchange import Streamable, exchange_either
from hitl_prefect.providers._wire import Call, translated

__all__ = ["AnthropicProvider"]

_MESSAGES = Streamable("/v1/messages", MessageBody, "request-id", MessageAssembly)


class AnthropicProvider:
    """A model behind Anthropic's API, which gives no token log probabilities.

    Connections are kept open for as long as the event loop runs: the loop of one Prefect task is not that of the next.

    Args:
        model: Its name, such as `claude-haiku-4-5`.
        api_key: `ANTHROPIC_API_KEY` where not given.
        base_url: `ANTHROPIC_BASE_URL` where not given, and Anthropic itself where that is not set.
        timeout_s: The longest that one call may take, all in all.
        max_tokens: The most that a reply may take; 8,192 where not given.

    Raises:
        ConfigError: If there is no key, or the base URL is no web address.
    """

    name = "anthropic"
    gives_logprobs = False

    def __init__(
        self,
        model: str,
        *,
        api_key: SecretStr | None = None,
        base_url: str | None = None,
        timeout_s: float = 120,
        max_tokens: int | None = None,
    ) -> None:
        self.model = model
        self._endpoint = endpoint("anthropic", api_key, base_url, timeout_s, max_tokens)

    async def generate(self, request: Request, *, on_text: OnText | None = None) -> Reply:
        """Ask once.

        Raises:
            ConfigError: If the answer type cannot be described to Claude.
            RateLimited, ProviderUnavailable: Trying again can help.
            ProviderDenied: It cannot.
        """
        asked = asked_of_messages(self.model, self._endpoint.limited(request))
        with translated(Call(self.model, self._endpoint, request.messages), anthropic):
            async with asyncio.timeout(self._endpoint.timeout_s), client_of(self._endpoint, _client) as client:
                return message_reply(await exchange_either(client, _MESSAGES, asked, on_text), self.model)

    def batches(self) -> Batches:
        """The batch endpoint: an answer within a day, at half the price."""
        from hitl_prefect.providers._anthropic_batch import AnthropicBatches

        return AnthropicBatches(self, self._endpoint)


def _client(endpoint: Endpoint) -> anthropic.AsyncAnthropic:
    how = sending(endpoint)
    return anthropic.AsyncAnthropic(
        api_key=endpoint.key.get_secret_value(),
        base_url=endpoint.base_url,
        max_retries=0,
        timeout=how["timeout"],
        http_client=anthropic.DefaultAsyncHttpxClient(**how),
    )
