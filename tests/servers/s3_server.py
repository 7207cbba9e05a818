"""What a test needs to know of an S3 server, and a private CA for those that speak TLS."""

import contextlib
import http.client
import ssl
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import boto3
import trustme
from botocore.config import Config
from pydantic import SecretStr

from hitl_prefect.stores import S3Store
from tests.servers.machine import wait_until

__all__ = ["S3Server", "certificates"]


@dataclass(frozen=True, kw_only=True)
class S3Server:
    """A server that runs, and the keys that it knows."""

    endpoint_url: str
    create: Literal["atomic", "ignored"]
    """What its create-if-absent is worth."""
    access_key: str = "AKTEST"
    secret_key: str = "SKTESTSECRET"
    verify: bool | str = True
    checks_signatures: bool = True

    @property
    def env(self) -> dict[str, str]:
        """The standard AWS environment for a process that uses this server."""
        tls = {"AWS_CA_BUNDLE": self.verify} if isinstance(self.verify, str) else {}
        keys = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}
        return {**keys, **tls, "AWS_ENDPOINT_URL": self.endpoint_url, "AWS_DEFAULT_REGION": "us-east-1"}

    def behind(self, endpoint_url: str) -> "S3Server":
        """The same server, reached through a proxy."""
        return replace(self, endpoint_url=endpoint_url)

    def store(self, bucket: str, prefix: str = "", **changes: Any) -> S3Store:
        """A store on this server."""
        given = {
            "endpoint_url": self.endpoint_url,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": SecretStr(self.secret_key),
            "verify": self.verify,
        }
        return S3Store(bucket, prefix, **{**given, **changes})

    def new_bucket(self) -> str:
        """A bucket that no other test uses."""
        name = f"test-{uuid.uuid4().hex[:16]}"
        with contextlib.closing(self.client()) as client:
            client.create_bucket(Bucket=name)
        return name

    def client(self) -> Any:
        """A plain boto3 client, for looking behind the store's back."""
        return boto3.session.Session(self.access_key, self.secret_key).client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name="us-east-1",
            verify=self.verify,
            config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
        )

    def wait(self, log: Path) -> None:
        """Return when it answers anything at all."""
        wait_until(self._answers, f"{self.endpoint_url} answers; see {log}")

    def _answers(self) -> bool:
        at = urlsplit(self.endpoint_url)
        with contextlib.closing(self._connection(at.hostname or "", at.port or 0)) as connection:
            try:
                connection.request("GET", "/")
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                return False
        return True

    def _connection(self, host: str, port: int) -> http.client.HTTPConnection:
        if not isinstance(self.verify, str):
            return http.client.HTTPConnection(host, port, timeout=5)
        context = ssl.create_default_context(cafile=self.verify)
        return http.client.HTTPSConnection(host, port, timeout=5, context=context)


@contextlib.contextmanager
def certificates(folder: Path) -> Iterator[tuple[str, Path, Path]]:
    """A private CA of this test alone: its file, and the certificate chain and key of 127.0.0.1."""
    authority = trustme.CA()
    ours = authority.issue_cert("127.0.0.1", "localhost")
    ca, chain, key = folder / "ca.pem", folder / "chain.pem", folder / "key.pem"
    authority.cert_pem.write_to_path(str(ca))
    key.write_bytes(ours.private_key_pem.bytes())
    chain.write_bytes(b"".join(blob.bytes() for blob in ours.cert_chain_pems))
    yield str(ca), chain, key
