"""What listens on loopback in tests: the server under all of them, and one that only keeps what it was sent."""

import contextlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Thread
from typing import NamedTuple

__all__ = ["Listener", "Mailbox", "Sent", "mailbox"]


class Listener(ThreadingHTTPServer):
    """Takes many connections at once; what breaks with a client is no news."""

    daemon_threads = True
    request_queue_size = 256

    def server_bind(self) -> None:
        # Not HTTPServer's: it asks the resolver for our own name, which takes seconds where there is none.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing where a client gave up or was killed: that is what some tests do."""


class Sent(NamedTuple):
    """One request."""

    path: str
    body: bytes


class Mailbox(Listener):
    """Says yes to everything; `sent` holds it in order."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        super().__init__(("127.0.0.1", 0), _Taker)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Taker(BaseHTTPRequestHandler):
    server: Mailbox

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.sent.append(Sent(self.path, body))
        self.send_response(200)
        self.end_headers()

    do_GET = do_POST = _take  # noqa: N815  # names that http.server looks for

    def log_message(self, *_: object) -> None:
        """Nothing: the test looks at `sent`."""


@contextlib.contextmanager
def mailbox() -> Iterator[Mailbox]:
    """A mailbox that is open within the block."""
    with Mailbox() as made:
        thread = Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()
