"""A server on 127.0.0.1 that speaks the wire protocols of OpenAI and Anthropic, with replies from a script.

```python
with LoopbackAI('{"answer": "yes"}') as ai:
    provider = OpenAIProvider("gpt-5-mini", api_key=SecretStr("k"), base_url=ai.openai_url)
    ...
    assert ai.requests[0].body["model"] == "gpt-5-mini"
```

For another process, `ai.env` holds the variables that point both SDKs here.
"""

import json
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Event, Lock, Thread
from typing import Any, Literal, Self

Fault = Literal["hang", "reset", "cut_off", "garbled"]
"""No answer; connection reset; fewer bytes than announced; a whole body that is half a JSON object."""


@dataclass(frozen=True)
class Said:
    """One reply of the server; all but `text` has a default."""

    text: str = ""
    """What the model writes."""
    tokens: Sequence[tuple[str, float]] = ()
    """(text, log probability); sent where the request asks for log probabilities."""
    finish: Literal["stop", "length", "refusal"] = "stop"
    """Sent as each protocol writes it."""
    finish_as: str | None = None
    """The protocol's own word, where `finish` is too coarse: `content_filter`, `model_context_window_exceeded`."""
    status: int = 200
    """Anything from 400 on sends an error body, with `text` as its message."""
    error: str = "some_error"
    """The provider's name for the error."""
    param: str | None = None
    """The request field that OpenAI blames."""
    headers: dict[str, str] = field(default_factory=dict)
    usage: tuple[int, int] = (11, 7)
    """Tokens of input and of output that the server counts."""
    delay_s: float = 0
    fault: Fault | None = None


@dataclass(frozen=True)
class Asked:
    """One request as it came over the wire."""

    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: dict[str, Any]


Answer = str | Said
Script = Answer | Sequence[Answer] | Callable[[str, dict[str, Any]], Answer]
"""One reply for all, one after the other with the last repeating, or a function of (path, body)."""


class LoopbackAI:
    """Answers both protocols until the `with` block ends."""

    def __init__(self, reply: Script = '{"answer": "ok"}') -> None:
        self.requests: list[Asked] = []
        """Every request so far, in order of arrival."""
        self.connections = 0
        """How many were opened so far."""
        self._open: set[socket.socket] = set()
        self.arrivals: list[float] = []
        """When each of them arrived, in seconds of the monotonic clock."""
        self.most_at_once = 0
        """How many requests were under way at once, at most."""
        self._under_way = 0
        self._reply = reply
        self._lock = Lock()
        self._closing = Event()
        self._server = _Server(self)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        """Anthropic's base URL; OpenAI's is `openai_url`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def env(self) -> dict[str, str]:
        """Points both SDKs of another process here."""
        return {
            "OPENAI_BASE_URL": self.openai_url,
            "OPENAI_API_KEY": "sk-loopback",
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": "sk-ant-loopback",
        }

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._closing.set()
        for connection in self.still_open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def still_open(self) -> list[socket.socket]:
        """The connections that neither side has closed."""
        with self._lock:
            return list(self._open)

    def opened(self, connection: socket.socket) -> None:
        """Count a connection; called by the server's threads."""
        with self._lock:
            self.connections += 1
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection; called by the server's threads."""
        with self._lock:
            self._open.discard(connection)

    def answer(self, asked: Asked) -> Said:
        """Count the request and find its reply; called by the server's threads."""
        with self._lock:
            place = len(self.requests)
            self.requests.append(asked)
            self.arrivals.append(time.monotonic())
        said = self._at(place, asked)
        return Said(said) if isinstance(said, str) else said

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Count a request while it is answered; called by the server's threads."""
        with self._lock:
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def _at(self, place: int, asked: Asked) -> Answer:
        if isinstance(self._reply, str | Said):
            return self._reply
        if callable(self._reply):
            return self._reply(asked.path, asked.body)
        return self._reply[min(place, len(self._reply) - 1)]

    def wait(self, delay_s: float | None) -> None:
        """Sleep, but not beyond the end of the `with` block; `None` is for ever."""
        self._closing.wait(delay_s)


def chat_completion(said: Said, body: dict[str, Any]) -> dict[str, Any]:
    """The body of `POST /v1/chat/completions`; valid for `openai.types.chat.ChatCompletion`."""
    refused = said.finish == "refusal" and said.finish_as is None
    content, refusal = (None, said.text) if refused else (said.text, None)
    message = {"role": "assistant", "content": content, "refusal": refusal}
    finish = said.finish_as or ("length" if said.finish == "length" else "stop")
    choice = {"index": 0, "finish_reason": finish, "message": message, "logprobs": _logprobs(said, body)}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": body["model"],
        "choices": [choice],
        "usage": {"prompt_tokens": said.usage[0], "completion_tokens": said.usage[1], "total_tokens": sum(said.usage)},
    }


def _logprobs(said: Said, body: dict[str, Any]) -> dict[str, Any] | None:
    if not body.get("logprobs") or not said.tokens:
        return None
    content = [
        {"token": text, "bytes": list(text.encode()), "logprob": logprob, "top_logprobs": []}
        for text, logprob in said.tokens
    ]
    return {"content": content, "refusal": None}


def anthropic_message(said: Said, body: dict[str, Any]) -> dict[str, Any]:
    """The body of `POST /v1/messages`; valid for `anthropic.types.Message`."""
    stop = {"stop": "end_turn", "length": "max_tokens", "refusal": "refusal"}[said.finish]
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [{"type": "text", "text": said.text}] if said.text else [],
        "stop_reason": said.finish_as or stop,
        "stop_sequence": None,
        "usage": {"input_tokens": said.usage[0], "output_tokens": said.usage[1]},
    }


def openai_error(said: Said) -> dict[str, Any]:
    """An error as OpenAI sends it."""
    return {"error": {"message": said.text, "type": said.error, "param": said.param, "code": said.error}}


def anthropic_error(said: Said) -> dict[str, Any]:
    """An error as Anthropic sends it."""
    return {"type": "error", "error": {"type": said.error, "message": said.text}, "request_id": "req_loopback"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, ai: LoopbackAI) -> None:
        self.ai = ai
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's: it asks the resolver for our own name, which takes seconds where there is none.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing where a client gave up: that is what some tests do."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.ai.opened(self.connection)

    def finish(self) -> None:
        super().finish()
        self.server.ai.closed(self.connection)

    def do_POST(self) -> None:
        with self.server.ai.under_way():
            self._answer()

    def _answer(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        asked = Asked(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        said = self.server.ai.answer(asked)
        self.server.ai.wait(None if said.fault == "hang" else said.delay_s)
        if said.fault == "reset":
            self._reset()
        elif said.fault != "hang":
            self._send(said, json.dumps(self._body(said, body)).encode())

    def _body(self, said: Said, body: dict[str, Any]) -> dict[str, Any]:
        claude = self.path.startswith("/v1/messages")
        if said.status >= 400:
            return anthropic_error(said) if claude else openai_error(said)
        return anthropic_message(said, body) if claude else chat_completion(said, body)

    def _send(self, said: Said, body: bytes) -> None:
        half = body[: len(body) // 2]
        announced = half if said.fault == "garbled" else body
        self.send_response(said.status)
        standard = {
            "content-type": "application/json",
            "content-length": str(len(announced)),
            "connection": "close" if said.fault else "keep-alive",
            "request-id": "req_loopback",
            "x-request-id": "req_loopback",
        }
        for name, value in {**standard, **said.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(half if said.fault else body)
        self.close_connection = bool(said.fault)

    def _reset(self) -> None:
        # A linger time of zero makes close() send a reset in place of an orderly end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.close(self.connection.detach())
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Keep the tests' output quiet."""
