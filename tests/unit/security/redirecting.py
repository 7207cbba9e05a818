"""A server on loopback that sends everybody elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from threading import Thread

from tests.servers.listening import Listener

__all__ = ["redirecting"]


@contextmanager
def redirecting(target: str) -> Iterator[str]:
    """Its address; every request is answered with 307 to `target`, which has a client send its body again."""

    class Redirecting(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(307)
            self.send_header("Location", target)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            """Nothing."""

    with Listener(("127.0.0.1", 0), Redirecting) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
