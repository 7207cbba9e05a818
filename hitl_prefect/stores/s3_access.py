"""How a client of an S3-compatible store is made: keys, address, certificate, time-outs."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from hitl_prefect.errors import ConfigError
from hitl_prefect.stores.peers import look_at_peers

__all__ = ["PerProcess", "S3Access"]

_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


def _options(addressing_style: str) -> dict[str, Any]:
    """Ours, merged under the user's."""
    return {
        "signature_version": "s3v4",
        "s3": {"addressing_style": addressing_style},
        # Never "adaptive": it blocks the caller. 5 s, 0.3 s or 1.6 s to give up, as botocore's backoff changed.
        "retries": {"mode": "standard", "total_max_attempts": 4},
        "connect_timeout": 5,
        "read_timeout": 20,
        "max_pool_connections": 16,
        "tcp_keepalive": True,
        # The default since 1.36 is a trailer that Ceph and rclone refuse over https with 411:
        # https://github.com/boto/boto3/issues/4392
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    }


@dataclass(frozen=True, kw_only=True, eq=False)
class S3Access:
    """What a client needs; without keys, the standard AWS environment and configuration are asked for them."""

    endpoint_url: str | None = None
    """`https://host:port` of any S3-compatible store; `None` is AWS, or what `AWS_ENDPOINT_URL` says."""
    region: str | None = None
    """`None`: what the AWS environment says, else `us-east-1`. Cloudflare R2 wants `auto`."""
    aws_access_key_id: str | None = field(default=None, repr=False)
    aws_secret_access_key: SecretStr | None = field(default=None, repr=False)
    aws_session_token: SecretStr | None = field(default=None, repr=False)
    verify: bool | str = True
    """Whether TLS certificates are checked, or the file of the CA that signed them."""
    addressing_style: str | None = None
    """`path` or `virtual`; `None` is `path` wherever an endpoint is given."""
    config: dict[str, Any] | None = field(default=None, repr=False)
    """Arguments of `botocore.config.Config`; they win over ours."""
    credentials: Any = field(default=None, repr=False)
    """Anything with `get_boto3_session()`, in place of the keys above."""
    is_untrusted: bool = field(default=False, repr=False)
    """Whether `endpoint_url` may be somebody else's words: then only hosts are connected to that are allowed."""

    def __post_init__(self) -> None:
        for name in ("aws_secret_access_key", "aws_session_token"):
            if isinstance(secret := getattr(self, name), str):
                object.__setattr__(self, name, SecretStr(secret))
        _check_endpoint(self.endpoint_url)

    @classmethod
    def parameters_of(cls, credentials: Any) -> dict[str, Any]:
        """What a prefect-aws block says, in our words; prefect-aws is not imported."""
        if not callable(getattr(credentials, "get_boto3_session", None)):
            raise ConfigError(
                f"{type(credentials).__name__} has no get_boto3_session(): use AwsCredentials or the like"
            )
        client = getattr(credentials, "aws_client_parameters", None)
        verify = getattr(client, "verify_cert_path", None) or getattr(client, "verify", None)
        return {
            "credentials": credentials,
            "endpoint_url": getattr(client, "endpoint_url", None),
            "region": getattr(credentials, "region_name", None),
            "verify": True if verify is None else verify if isinstance(verify, bool) else str(verify),
            "config": getattr(client, "config", None),
        }

    def connect(self) -> Any:
        """A new boto3 client; nothing is sent yet.

        Raises:
            ConfigError: If botocore refuses the parameters.
        """
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        if isinstance(self.verify, str) and not Path(self.verify).is_file():
            raise ConfigError(f"verify names no file: {self.verify!r}; give the CA certificate of the store, as PEM")
        try:
            session = self._session()
            client = session.client(
                "s3",
                endpoint_url=self.endpoint_url,
                region_name=self.region or session.region_name or "us-east-1",
                verify=self.verify,
                config=Config(**self._merged()),
            )
        except (BotoCoreError, TypeError, ValueError) as exc:
            raise ConfigError(
                f"no S3 client can be made ({type(exc).__name__}): check endpoint_url, region, profile and config"
            ) from exc
        if self.is_untrusted and self.endpoint_url:
            look_at_peers(client, self.endpoint_url)
        return client

    def _session(self) -> Any:
        import boto3

        if self.credentials is not None:
            return self.credentials.get_boto3_session()
        return boto3.session.Session(
            aws_access_key_id=self.aws_access_key_id,
            aws_secret_access_key=_plain(self.aws_secret_access_key),
            aws_session_token=_plain(self.aws_session_token),
        )

    def _merged(self) -> dict[str, Any]:
        elsewhere = self.endpoint_url or any(map(os.environ.get, _ENDPOINT_VARIABLES))
        ours = _options(self.addressing_style or ("path" if elsewhere else "auto"))
        theirs = dict(self.config or {})
        return {**ours, **theirs, "s3": {**ours["s3"], **theirs.get("s3", {})}}


class PerProcess:
    """One client per process, made on first use; a fork or a pickle starts without one."""

    def __init__(self) -> None:
        self._locks: dict[int, threading.Lock] = {}
        self._clients: dict[int, Any] = {}

    def __reduce__(self) -> tuple[type["PerProcess"], tuple[()]]:
        return PerProcess, ()

    def get(self, make: Callable[[], Any]) -> Any:
        """The client of this process."""
        process = os.getpid()
        # A lock per process: one that another thread held during a fork would never be released in the child.
        with self._locks.setdefault(process, threading.Lock()):
            if process not in self._clients:
                self._clients[process] = make()
            return self._clients[process]

    def close(self) -> None:
        """Close the client of this process, if there is one."""
        client = self._clients.pop(os.getpid(), None)
        if client is not None:
            client.close()


def _plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _check_endpoint(url: str | None) -> None:
    if url is None:
        return
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ConfigError("endpoint_url cannot be read: use https://host:port") from None
    if parts.scheme not in ("http", "https") or not parts.netloc or "@" in url or parts.query or parts.fragment:
        raise ConfigError("endpoint_url is https://host:port or http://host:port, without user, key or parameters")
