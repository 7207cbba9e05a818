"""A server on 127.0.0.1 that speaks both batch endpoints, for the real SDKs.

It takes batches and files, refuses bodies that the SDKs' own types do not describe, and answers when a test says so:

```python
with BatchServer() as server:
    ...  # submit
    server.end()
    ...  # fetch
```
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler
from threading import Event, RLock, Thread
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import TypeAdapter

from tests.servers.listening import Listener
from tests.wire.batch_bodies import (
    Made,
    Provider,
    anthropic_batch,
    anthropic_line,
    error_body,
    openai_batch,
    openai_file,
    openai_line,
)
from tests.wire.bodies import body_of
from tests.wire.said import Said

Answer = Callable[[str, dict[str, Any]], Any]
"""From the `custom_id` and the body of a request to what comes of it: a text, a `Said`, or a whole line."""

_SHAPES: dict[str, tuple[TypeAdapter[Any], Any]] = {
    "/v1/chat/completions": (TypeAdapter(CompletionCreateParamsNonStreaming), CompletionCreateParamsNonStreaming),
    "/v1/responses": (TypeAdapter(ResponseCreateParamsNonStreaming), ResponseCreateParamsNonStreaming),
}
_MESSAGE = TypeAdapter(MessageCreateParamsNonStreaming)


class BatchServer:
    """Takes batches until the `with` block ends.

    Args:
        answer: What the model writes.
        page: How many batches one page of a listing holds.
    """

    def __init__(self, answer: Answer | str = '{"answer": "ok", "confidence": 0.9}', *, page: int = 2) -> None:
        self.batches: list[Made] = []
        self.files: dict[str, bytes] = {}
        self.live: list[dict[str, Any]] = []
        """What was asked at once."""
        self.refused: list[str] = []
        """Bodies that are not as documented, in words."""
        self.status = 0
        """Anything from 400 on is answered to every attempt to make a batch."""
        self.hold, self.taken = Event(), Event()
        """While `hold` is clear a batch is taken and its maker gets no reply; `taken` says that one was."""
        self.hold.set()
        self.hold_results, self.sending = Event(), Event()
        """While `hold_results` is clear only one line of any results is sent; `sending` says that one was."""
        self.hold_results.set()
        self.refuses_logprobs = False
        self.deleted = False
        """Whether the results are no longer kept."""
        self.lose = False
        """Whether a batch is not taken, and its maker gets no reply either."""
        self.answer: Answer = answer if callable(answer) else lambda _id, _body: answer
        self.page = page
        self.lock = RLock()
        self._server = _Server(self)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def env(self) -> dict[str, str]:
        """Points both SDKs of another process here."""
        return {
            "OPENAI_BASE_URL": f"{self.url}/v1",
            "OPENAI_API_KEY": "sk-loopback-openai",
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": "sk-ant-loopback",
        }

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.hold.set()
        self.hold_results.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        assert self.refused == []

    def make(self, provider: Provider, requests: dict[str, dict[str, Any]], **more: Any) -> Made:
        """Make a batch, as somebody else's program would too."""
        with self.lock:
            batch_id = f"{'batch' if provider == 'openai' else 'msgbatch'}_{len(self.batches) + 1:04d}"
            made = Made(batch_id, provider, requests, datetime.now(UTC), **more)
            self.batches.append(made)
            return made

    def end(self, status: str = "", *, only: Callable[[str], bool] = lambda _id: True) -> None:
        """Let every batch end; requests that `only` leaves out get no result."""
        for made in self.batches:
            if made.ended_at is None:
                made.ended_at = datetime(2026, 11, 1, 12, tzinfo=UTC)
                made.status = status or ("completed" if made.provider == "openai" else "ended")
                lines = [self._line(made, name, body) for name, body in made.requests.items() if only(name)]
                made.results, made.counted = lines[::-1], len(lines)

    def _line(self, made: Made, custom_id: str, body: dict[str, Any]) -> bytes:
        said = self.answer(custom_id, body)
        if isinstance(said, dict | bytes):
            return said if isinstance(said, bytes) else json.dumps({"custom_id": custom_id, **said}).encode()
        said = Said(said) if isinstance(said, str) else said
        line = openai_line(said, body) if made.provider == "openai" else anthropic_line(said, body)
        return json.dumps({"custom_id": custom_id, **line}, ensure_ascii=False).encode()


class _Server(Listener):
    def __init__(self, batches: BatchServer) -> None:
        self.batches = batches
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        self._answer("GET", b"")

    def do_POST(self) -> None:
        self._answer("POST", self.rfile.read(int(self.headers.get("content-length") or 0)))

    def _answer(self, method: str, body: bytes) -> None:
        parts = urlsplit(self.path)
        self.body, self.query = body, {name: values[0] for name, values in parse_qs(parts.query).items()}
        for verb, pattern, handle in _ROUTES:
            if verb == method and (found := re.fullmatch(pattern, parts.path)):
                try:
                    sent = handle(self, *found.groups())
                except (ValueError, KeyError) as exc:
                    self.server.batches.refused.append(f"{self.path}: {exc}")
                    sent = error_body(400, "invalid_request_error")
                return self._send(*sent)
        return self._send(*error_body(404, "not_found_error"))

    def _upload(self) -> tuple[int, Any]:
        form = _form(self.headers["content-type"], self.body)
        if form["purpose"] != b"batch":
            raise ValueError("purpose is 'batch'")
        with self.server.batches.lock:
            file_id = f"file-in{len(self.server.batches.files) + 1}"
            self.server.batches.files[file_id] = form["file"]
        return 200, openai_file(file_id, form["file"], "batch")

    def _content(self, file_id: str) -> tuple[int, Any]:
        kind, _, batch_id = file_id.partition("-of-")
        made = self._find(batch_id)
        if self.server.batches.deleted:
            return error_body(404, "not_found_error")
        return 200, b"".join(line + b"\n" for line in (made.results if kind == "file-out" else made.errors))

    def _create_openai(self) -> tuple[int, Any]:
        asked = json.loads(self.body)
        if asked["completion_window"] != "24h" or asked["endpoint"] not in _SHAPES:
            raise ValueError("window or endpoint")
        lines = [json.loads(line) for line in self.server.batches.files[asked["input_file_id"]].splitlines()]
        for line in lines:
            if line.keys() != {"custom_id", "method", "url", "body"} or line["url"] != asked["endpoint"]:
                raise ValueError("a line is not as documented")
            _valid(*_SHAPES[asked["endpoint"]], line["body"])
        requests = {line["custom_id"]: line["body"] for line in lines}
        return self._make("openai", requests, lines, asked.get("metadata", {}), asked["input_file_id"])

    def _create_anthropic(self) -> tuple[int, Any]:
        lines = json.loads(self.body)["requests"]
        for line in lines:
            if line.keys() != {"custom_id", "params"} or not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", line["custom_id"]):
                raise ValueError("a request is not as documented")
            _valid(_MESSAGE, MessageCreateParamsNonStreaming, line["params"])
        return self._make("anthropic", {line["custom_id"]: line["params"] for line in lines}, lines)

    def _make(
        self, provider: Provider, requests: dict[str, Any], lines: list[Any], metadata: Any = None, file_id: str = ""
    ) -> tuple[int, Any]:
        batches = self.server.batches
        if len(requests) != len(lines):
            raise ValueError("a custom_id occurs twice")
        if batches.status:
            return error_body(batches.status, "rate_limit_error" if batches.status == 429 else "permission_error")
        if batches.lose:
            batches.taken.set()
            batches.hold.wait(60)
            return error_body(500, "api_error")
        made = batches.make(provider, requests, metadata=metadata or {}, input_file_id=file_id)
        batches.taken.set()
        batches.hold.wait(60)
        return 200, self._shown(made)

    def _list(self, provider: Provider) -> tuple[int, Any]:
        newest = [one for one in reversed(self.server.batches.batches) if one.provider == provider]
        after = self.query.get("after") or self.query.get("after_id")
        start = next((place for place, one in enumerate(newest, 1) if one.id == after), 0)
        page = newest[start : start + min(int(self.query["limit"]), self.server.batches.page)]
        shown = [self._shown(one) for one in page]
        more = start + len(page) < len(newest)
        ends = {"first_id": page[0].id if page else None, "last_id": page[-1].id if page else None}
        return 200, {"object": "list", "data": shown, "has_more": more, **ends}

    def _list_openai(self) -> tuple[int, Any]:
        return self._list("openai")

    def _list_anthropic(self) -> tuple[int, Any]:
        return self._list("anthropic")

    def _retrieve(self, batch_id: str) -> tuple[int, Any]:
        return 200, self._shown(self._find(batch_id))

    def _cancel(self, batch_id: str) -> tuple[int, Any]:
        made = self._find(batch_id)
        made.status = "cancelling" if made.provider == "openai" else "canceling"
        return 200, self._shown(made)

    def _results(self, batch_id: str) -> tuple[int, Any]:
        made = self._find(batch_id)
        if made.ended_at is None:
            return error_body(404, "not_found_error")
        return 200, b"".join(line + b"\n" for line in made.results)

    def _live(self) -> tuple[int, Any]:
        asked = json.loads(self.body)
        self.server.batches.live.append(asked)
        if self.server.batches.refuses_logprobs and "logprobs" in asked:
            return 400, {"error": {"message": "no logprobs", "param": "logprobs", "code": "unsupported_parameter"}}
        tokens = [('{"answer": "', 0.0), ("asked at once", -0.01), ('", "confidence": 0.9}', 0.0)]
        said = Said("".join(text for text, _ in tokens), tokens=tokens)
        return 200, body_of(self.path, said, asked)

    def _find(self, batch_id: str) -> Made:
        return next(one for one in self.server.batches.batches if one.id == batch_id)

    def _shown(self, made: Made) -> dict[str, Any]:
        return (
            openai_batch(made)
            if made.provider == "openai"
            else anthropic_batch(made, "" if self.server.batches.deleted else self.server.batches.url)
        )

    def _send(self, status: int, body: Any) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {
            "content-type": "application/octet-stream" if isinstance(body, bytes) else "application/json",
            "content-length": str(len(data)),
            "connection": "close",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if isinstance(body, bytes) and not self.server.batches.hold_results.is_set():
            first, data = data[: data.index(b"\n") + 1], data[data.index(b"\n") + 1 :]
            self.wfile.write(first)
            self.wfile.flush()
            self.server.batches.sending.set()
            self.server.batches.hold_results.wait(60)
        self.wfile.write(data)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Keep the tests' output quiet."""


_ROUTES: list[tuple[str, str, Callable[..., tuple[int, Any]]]] = [
    ("POST", "/v1/files", _Handler._upload),
    ("GET", "/v1/files/([^/]+)/content", _Handler._content),
    ("POST", "/v1/batches", _Handler._create_openai),
    ("GET", "/v1/batches", _Handler._list_openai),
    ("GET", "/v1/batches/([^/]+)", _Handler._retrieve),
    ("POST", "/v1/batches/([^/]+)/cancel", _Handler._cancel),
    ("POST", "/v1/messages/batches", _Handler._create_anthropic),
    ("GET", "/v1/messages/batches", _Handler._list_anthropic),
    ("GET", "/v1/messages/batches/([^/]+)", _Handler._retrieve),
    ("GET", "/v1/messages/batches/([^/]+)/results", _Handler._results),
    ("POST", "/v1/messages/batches/([^/]+)/cancel", _Handler._cancel),
    ("POST", "/v1/(?:chat/completions|responses|messages)", _Handler._live),
]


def _valid(adapter: TypeAdapter[Any], shape: Any, body: dict[str, Any]) -> None:
    """As the SDK's type says, and nothing beside it."""
    adapter.validate_python(body)
    if strange := body.keys() - shape.__annotations__.keys():
        raise ValueError(f"unknown fields {sorted(strange)}")


def _form(content_type: str, body: bytes) -> dict[str, bytes]:
    message = BytesParser(policy=HTTP).parsebytes(f"content-type: {content_type}\r\n\r\n".encode() + body)
    assert isinstance(message, EmailMessage)
    return {
        str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True)  # type: ignore[misc]
        for part in message.iter_parts()
    }
