"""A model on loopback that answers every question after a fixed time, in a process of its own.

It speaks enough of both protocols for the real SDKs, over kept-alive connections, and costs little itself, so that what
is measured is the client.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE, Popen

__all__ = ["LATENCY_S", "fast_model"]

LATENCY_S = 0.2

_ANSWER = '{"answer":"delivery","confidence":0.75}'
_TOKENS = ('{"', "answer", '":"', "delivery", '","', "confidence", '":', "0", ".", "75", "}")
_USAGE = {"prompt_tokens": 40, "completion_tokens": len(_TOKENS), "total_tokens": 40 + len(_TOKENS)}
_CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_790_000_000,
    "model": "fast",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": _ANSWER, "refusal": None},
            "logprobs": {
                "content": [
                    {"token": one, "bytes": list(one.encode()), "logprob": -0.1, "top_logprobs": []} for one in _TOKENS
                ],
                "refusal": None,
            },
        }
    ],
    "usage": _USAGE,
}
_MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "fast",
    "content": [{"type": "text", "text": _ANSWER}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 40, "output_tokens": len(_TOKENS)},
}


def _response(body: object) -> bytes:
    payload = json.dumps(body).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(payload)}\r\n\r\n"
    return head.encode() + payload


_BY_PATH = {b"/v1/chat/completions": _response(_CHAT), b"/v1/messages": _response(_MESSAGE)}


class _Answering(asyncio.Protocol):
    """One connection; one request at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._read = transport, b""

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, found, body = self._read.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        self._read = body[_length(head) :]
        answer = _BY_PATH[head.split(b" ", 2)[1]]
        asyncio.get_running_loop().call_later(LATENCY_S, self._transport.write, answer)


def _length(head: bytes) -> int:
    lines = (line.partition(b":") for line in head.split(b"\r\n"))
    return next(int(value) for name, _, value in lines if name.lower() == b"content-length")


@contextmanager
def fast_model() -> Iterator[str]:
    """The server's address while the block runs."""
    command = [sys.executable, "-m", "benchmarks.fast_model"]
    with Popen(command, stdout=PIPE, stdin=PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
