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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from threading import Event, Lock, Thread
from typing import Any, Self

from tests.servers.listening import Listener
from tests.wire.bodies import body_of
from tests.wire.said import Answer, Asked, Said, Script
from tests.wire.streams import encoded, error_event, stream_of

__all__ = ["Answer", "LoopbackAI", "Said", "Script"]


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

    def env_of(self, provider: str) -> dict[str, str]:
        """Those of one SDK only: with both keys a second opinion is asked for by default, and counted."""
        return {name: value for name, value in self.env.items() if name.startswith(provider.upper())}

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


class _Server(Listener):
    def __init__(self, ai: LoopbackAI) -> None:
        self.ai = ai
        super().__init__(("127.0.0.1", 0), _Handler)


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
        self.server.ai.wait(said.delay_s)
        if body.get("stream") and said.status < 400:
            self._stream(said, body)
        elif said.fault in ("hang", "reset"):
            self._break(said)
        else:
            self._send(said, json.dumps(body_of(self.path, said, body)).encode())

    def _send(self, said: Said, body: bytes) -> None:
        broken = said.fault in ("cut_off", "garbled")
        half = body[: len(body) // 2]
        announced = half if said.fault == "garbled" else body
        self._head(said, {"content-type": "application/json", "content-length": str(len(announced))})
        self.wfile.write(half if broken else body)
        self.close_connection = said.fault == "cut_off"

    def _stream(self, said: Said, body: dict[str, Any]) -> None:
        events = stream_of(self.path, said, body)
        self._head(said, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
        for event in events[: said.fault_after] if said.fault else events:
            self.server.ai.wait(said.pace_s)
            self._chunk(encoded(event))
        if said.fault == "error":
            self._chunk(encoded(error_event(self.path, said)))
        elif said.fault == "garbled":
            self._chunk(b'data: {"choices": [{"del\n\n')
        elif said.fault in ("hang", "reset", "cut_off"):
            self._break(said)
            return
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def _head(self, said: Said, kind: dict[str, str]) -> None:
        self.send_response(said.status)
        # Each provider names the request in a header of its own; a gateway may set the other one.
        is_claude = "messages" in self.path
        name, other = ("request-id", "x-request-id") if is_claude else ("x-request-id", "request-id")
        standard = {name: "req_loopback", other: "req_of_a_gateway", "connection": "keep-alive"}
        for name, value in {**kind, **standard, **said.headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _break(self, said: Said) -> None:
        self.close_connection = True
        if said.fault == "hang":
            self.server.ai.wait(None)
        elif said.fault == "reset":
            self._reset()

    def _reset(self) -> None:
        # A linger time of zero makes close() send a reset in place of an orderly end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.server.ai.closed(self.connection)
        socket.close(self.connection.detach())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Keep the tests' output quiet."""
