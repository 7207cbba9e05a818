"""What boto3 raises, translated once: who must act, and whether trying again can help."""

import contextlib
import ssl
from collections.abc import Iterator
from typing import Any, Literal, Protocol

from hitl_prefect.errors import ConfigError, HitlError, ObjectMissing, StoreDenied, StoreError, StoreUnavailable
from hitl_prefect.stores.once import CreateResult

__all__ = ["answer_to_condition", "is_locked", "translated"]

_TRY_AGAIN = {
    "BadDigest",
    "IncompleteBody",
    "InternalError",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
}
_NEXT_STEP = {
    "NoSuchBucket": "create the bucket, or correct its name",
    "InvalidAccessKeyId": "check the access key",
    "SignatureDoesNotMatch": "check the secret key",
    "ExpiredToken": "renew the session token",
    "RequestTimeTooSkewed": "set the clock of this machine",
    "AuthorizationHeaderMalformed": "check the region",
    "PermanentRedirect": "check the region and endpoint_url",
    "MissingContentLength": "set request_checksum_calculation to when_required",
}


class _Place(Protocol):
    @property
    def url(self) -> str: ...


def answer_to_condition(exc: Any) -> CreateResult | Literal["busy"] | None:
    """What the store says to `If-None-Match: *`; `None` where it speaks of something else.

    304 comes from old MinIO: https://github.com/minio/minio/discussions/19442. 409 is a race in flight, after which
    nothing may stand: https://github.com/apache/opendal/issues/6741.
    """
    answers: dict[int, CreateResult | Literal["busy"]] = {304: "taken", 412: "taken", 409: "busy", 501: "unsupported"}
    return answers.get(_status(exc))


def is_locked(exc: Any) -> bool:
    """Whether a version may not be deleted: AWS and Ceph say of one that is locked what they say of any other."""
    return _status(exc) == 403


@contextlib.contextmanager
def translated(store: _Place, key: str) -> Iterator[None]:
    """Raise our errors in place of boto3's; no message repeats what the server or the SDK wrote."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as exc:
        raise _from_answer(exc, f"{key!r} in {store.url}") from exc
    except BotoCoreError as exc:
        raise _from_transport(exc, f"{key!r} in {store.url}") from exc


def _from_answer(exc: Any, what: str) -> StoreError:
    status, code = _status(exc), str(exc.response.get("Error", {}).get("Code", ""))
    # The answer to HEAD has no body, and so no better code than the status.
    if code in ("NoSuchKey", "404"):
        return ObjectMissing(f"nothing stands under {what}")
    if code in _TRY_AGAIN or status == 429 or (status >= 500 and status != 501):
        return StoreUnavailable(f"the store answered {status} {code} to {what}: try again later")
    step = _NEXT_STEP.get(code, "check the keys, and what they are allowed to do")
    return StoreDenied(f"the store answered {status} {code} to {what}: {step}")


def _from_transport(exc: Any, what: str) -> HitlError:
    from botocore import exceptions as sdk

    ours = exc.kwargs.get("error")
    if isinstance(ours, ConfigError):  # the address that was connected to is not allowed
        return ours
    if isinstance(exc, sdk.NoCredentialsError | sdk.PartialCredentialsError | sdk.CredentialRetrievalError):
        return StoreDenied(f"no keys for {what}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile")
    if isinstance(exc, sdk.SSLError) and _is_untrusted(exc):
        return StoreDenied(f"the certificate of the store is not trusted for {what}: give verify=/path/ca.pem")
    if isinstance(exc, sdk.HTTPClientError | sdk.ConnectionError | sdk.IncompleteReadError):
        return StoreUnavailable(f"no whole answer ({type(exc).__name__}) to {what}: check endpoint_url, or try again")
    return ConfigError(f"boto3 refuses {what} ({type(exc).__name__}): check the bucket's name and the configuration")


def _is_untrusted(exc: BaseException | None) -> bool:
    """Whether a certificate is at the root of it, and not a connection that broke off."""
    while exc is not None:
        if isinstance(exc, ssl.SSLCertVerificationError):
            return True
        exc = exc.__cause__ or exc.__context__
    return False


def _status(exc: Any) -> int:
    return int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
