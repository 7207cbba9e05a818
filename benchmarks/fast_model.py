"""A model on loopback that answers every question after a fixed time, in a process of its own.

It speaks enough of both protocols for the real SDKs, over kept-alive connections, and costs little itself, so that what
is measured is the client. It is sure of what it says, unless the prompt holds the word `UNSURE`. `/calls` gives the
number of its answers.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE, Popen

__all__ = ["LATENCY_S", "UNSURE", "fast_model"]

LATENCY_S = 0.2

UNSURE = "UNSURE"


def _tokens(hundredths: int) -> tuple[str, ...]:
    """What the model writes, with its stated confidence."""
    return ('{"', "answer", '":"', "delivery", '","', "confidence", '":', "0", ".", str(hundredths), "}")


def _chat(hundredths: int, logprob: float) -> dict[str, object]:
    tokens = _tokens(hundredths)
    content = [{"token": one, "bytes": list(one.encode()), "logprob": logprob, "top_logprobs": []} for one in tokens]
    message = {"role": "assistant", "content": "".join(tokens), "refusal": None}
    logprobs = {"content": content, "refusal": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "fast",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message, "logprobs": logprobs}],
        "usage": {"prompt_tokens": 40, "completion_tokens": len(tokens), "total_tokens": 40 + len(tokens)},
    }


def _message(hundredths: int) -> dict[str, object]:
    tokens = _tokens(hundredths)
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "fast",
        "content": [{"type": "text", "text": "".join(tokens)}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 40, "output_tokens": len(tokens)},
    }


def _response(body: object) -> bytes:
    payload = json.dumps(body).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(payload)}\r\n\r\n"
    return head.encode() + payload


def _by_path(hundredths: int, logprob: float) -> dict[bytes, bytes]:
    return {
        b"/v1/chat/completions": _response(_chat(hundredths, logprob)),
        b"/v1/messages": _response(_message(hundredths)),
    }


_SURE, _UNSURE = _by_path(75, -0.1), _by_path(15, -2.5)


class _Answering(asyncio.Protocol):
    """One connection; one request at a time."""

    calls = 0
    latency_s = LATENCY_S

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._read = transport, b""

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, found, body = self._read.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        self._read = body[_length(head) :]
        path = head.split(b" ", 2)[1]
        if path == b"/calls":
            self._transport.write(_response(_Answering.calls))
            return
        answers = _UNSURE if UNSURE.encode() in body else _SURE
        asyncio.get_running_loop().call_later(self.latency_s, self._answer, answers[path])

    def _answer(self, answer: bytes) -> None:
        _Answering.calls += 1
        self._transport.write(answer)


def _length(head: bytes) -> int:
    lines = (line.partition(b":") for line in head.split(b"\r\n"))
    return next((int(value) for name, _, value in lines if name.lower() == b"content-length"), 0)


@contextmanager
def fast_model(latency_s: float = LATENCY_S) -> Iterator[str]:
    """The server's address while the block runs."""
    command = [sys.executable, "-m", "benchmarks.fast_model", str(latency_s)]
    with Popen(command, stdout=PIPE, stdin=PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


async def _serve(latency_s: float) -> None:
    _Answering.latency_s = latency_s
    server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
