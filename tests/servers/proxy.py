"""A loopback proxy in front of a server, a store's or Prefect's, for what goes wrong on the way."""

import contextlib
import http.client
import math
import socket
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from tests.servers.listening import Listener

__all__ = ["StoreProxy", "store_proxy"]

_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "expect"}


class StoreProxy:
    """Forwards http requests as they are; each fault is armed by a method and counted down.

    Use `store_proxy(endpoint_url)` to have it stopped.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.requests: list[tuple[str, str]] = []
        """Method and path of every request, in order."""
        self.sent_bytes = 0
        """How much of the answers to all GETs was sent on."""
        self._losing = 0
        self._breaks: list[int] = []
        self._answers: list[tuple[int, str]] = []
        self._held: _Hold | None = None
        self._broken = ""
        self._left: float = math.inf
        self._counts_from = ""
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._server: Listener | None = None
        self._thread = threading.Thread()
        self._port = 0
        self.up()

    @property
    def endpoint_url(self) -> str:
        """The address to give to the store in place of the server's."""
        return f"http://127.0.0.1:{self._port}"

    def lose_acknowledgements(self, times: int = 1) -> None:
        """Forward the next PUTs, and break the connection where the server says 200."""
        self._losing = times

    def answer(self, status: int, code: str, *, times: int = 1) -> None:
        """Answer the next conditional PUTs in the server's place; they are not forwarded."""
        self._answers = [(status, code)] * times

    def break_off(self, after_bytes: int, *, times: int = 1) -> None:
        """Close the connection of the next GETs whose answer is longer than that, after so many bytes of it."""
        self._breaks = [after_bytes] * times

    def break_down_at(self, path_end: str) -> None:
        """Answer 500 to whatever is asked of a path that ends so, in the server's place."""
        self._broken = path_end

    def break_down_after(self, requests: int, path_end: str) -> None:
        """Answer 403 to all but so many from the first one on whose path ends so: no client asks again for that."""
        self._left, self._counts_from = requests, path_end

    @contextlib.contextmanager
    def hold(self, path_end: str) -> Iterator["_Hold"]:
        """Hold the next PUT whose path ends so, before it is forwarded; let it go at the end at the latest."""
        self._held = held = _Hold(path_end)
        try:
            yield held
        finally:
            held.release()

    def down(self) -> None:
        """Refuse all connections, and break the open ones."""
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._server = None
        with self._lock:
            for connection in self._open:
                _break(connection)

    def up(self) -> None:
        """Listen again, on the same port as before."""
        self._server = Listener(("127.0.0.1", self._port), self._handler())
        self._port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        return type("Handler", (_Handler,), {"proxy": self})

    def _take_answer(self) -> tuple[int, str] | None:
        with self._lock:
            return self._answers.pop() if self._answers else None

    def _take_loss(self) -> bool:
        with self._lock:
            self._losing -= 1
            return self._losing >= 0

    def _is_over(self, path: str) -> bool:
        with self._lock:
            if path.endswith(self._counts_from):
                # From here on every request counts.
                self._counts_from = ""
            self._left -= not self._counts_from
            return self._left < 0

    def _take_break(self, body: bytes) -> int | None:
        with self._lock:
            return self._breaks.pop() if self._breaks and len(body) > self._breaks[-1] else None

    def _take_hold(self, path: str) -> "_Hold | None":
        with self._lock:
            if self._held is None or not path.endswith(self._held.path_end):
                return None
            held, self._held = self._held, None
            return held


class _Hold:
    """A PUT that waits."""

    def __init__(self, path_end: str) -> None:
        self.path_end = path_end
        self._arrived, self._released = threading.Event(), threading.Event()

    def wait_for_arrival(self, timeout_s: float = 10) -> None:
        """Return once the PUT is here; the server has not seen it."""
        assert self._arrived.wait(timeout_s), f"no PUT of {self.path_end!r} within {timeout_s:g} s"

    def release(self) -> None:
        """Let it go on."""
        self._released.set()

    def stop(self) -> None:
        """Called by the request itself."""
        self._arrived.set()
        self._released.wait(60)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    proxy: StoreProxy

    def setup(self) -> None:
        super().setup()
        with self.proxy._lock:
            self.proxy._open.add(self.connection)

    def finish(self) -> None:
        with self.proxy._lock:
            self.proxy._open.discard(self.connection)
        super().finish()

    def log_message(self, *args: Any) -> None:
        """The tests look at `requests` instead."""

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.proxy.requests.append((self.command, self.path))
        if self.command == "PUT":
            if "If-None-Match" in self.headers and (canned := self.proxy._take_answer()):
                status, code = canned
                return self._send(status, [], f"<Error><Code>{code}</Code></Error>".encode())
            if held := self.proxy._take_hold(self.path):
                held.stop()
        if self.proxy._broken and self.path.endswith(self.proxy._broken):
            return self._send(500, [], b"{}")
        if self.proxy._is_over(self.path):
            return self._send(403, [], b"{}")
        status, headers, answer = self._ask_upstream(body)
        if self.command == "PUT" and status == 200 and self.proxy._take_loss():
            self.close_connection = True
            return _break(self.connection)
        return self._send(status, headers, answer)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = do_PATCH = _pass_on  # noqa: N815  # names that http.server looks for

    def _ask_upstream(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        with contextlib.closing(http.client.HTTPConnection(self.proxy.upstream, timeout=60)) as connection:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _BY_HOP:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            body = self._broken_off(body)
        self.wfile.write(body)

    def _broken_off(self, body: bytes) -> bytes:
        if (after_bytes := self.proxy._take_break(body)) is not None:
            # In order, so that what was sent before arrives.
            self.close_connection, body = True, body[:after_bytes]
        self.proxy.sent_bytes += len(body)
        return body


@contextlib.contextmanager
def store_proxy(upstream: str) -> Iterator[StoreProxy]:
    """A proxy in front of a plain http server; signatures stay valid, as the Host header is passed on."""
    proxy = StoreProxy(upstream)
    try:
        yield proxy
    finally:
        proxy.down()


def _break(connection: socket.socket) -> None:
    """Reset the connection instead of closing it in order."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
