"""Store URLs: `folder:PATH` and `s3://bucket/prefix?endpoint_url=...`. Never with a secret in them."""

import re
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from hitl_prefect.errors import ConfigError
from hitl_prefect.hosts import check_address
from hitl_prefect.protocols import Store
from hitl_prefect.stores.folder import FolderStore
from hitl_prefect.stores.s3 import S3Store

__all__ = ["store_for"]

_HELP = "use folder:PATH or s3://bucket/prefix?endpoint_url=https://...&region=...&verify=/path/ca.pem"
_NO_SECRETS = (
    "keys do not belong into a URL: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, an AWS profile, or a saved block"
)
_PARAMETERS = (
    "addressing_style",
    "atomic_create",
    "endpoint_url",
    "lock_days",
    "lock_mode",
    "region",
    "verify",
    "versioned",
)


def store_for(url: str) -> Store:
    """The store that a URL names; nothing is opened or sent yet.

    Args:
        url: `folder:PATH`, or `s3://bucket/prefix` with any of `endpoint_url`, `region`, `verify` (a CA file, `true`
            or `false`), `addressing_style`, `atomic_create` (`true` or `false`), `lock_days`, `lock_mode` and
            `versioned` (`true` or `false`) as parameters. The S3 keys come from the standard AWS environment and
            configuration. A URL may have come in as a parameter, so that its endpoint must be public, or among
            `HITL_ALLOWED_HOSTS`; that of a block or of `AWS_ENDPOINT_URL` may be anywhere.

    Raises:
        ConfigError: If the URL names no store, an endpoint that is not allowed, or holds a secret, which the message
            does not repeat.

    >>> store_for("s3://outcomes/team-a?endpoint_url=https://s3.example.org").url
    's3://outcomes/team-a?endpoint_url=https://s3.example.org'
    """
    scheme, colon, rest = url.partition(":")
    if colon and scheme == "folder" and rest:
        return FolderStore(rest)
    if colon and scheme == "s3" and rest.startswith("//"):
        return _s3_store(_split(url))
    shown = repr(scheme) if colon and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme) else "without a scheme"
    raise ConfigError(f"store URL {shown}: {_HELP}")


def _split(url: str) -> SplitResult:
    """Refuse userinfo, also where a secret with a slash has moved it into the path."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ConfigError(f"store URL 's3' that cannot be read: {_HELP}") from None
    if "@" in parts.netloc + parts.path or ":" in parts.netloc:
        raise ConfigError(f"store URL with a user or a key in front of the bucket: {_NO_SECRETS}")
    if not parts.netloc or parts.fragment:
        raise ConfigError(f"store URL 's3' without a bucket, or with a '#': {_HELP}")
    return parts


def _s3_store(parts: SplitResult) -> S3Store:
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(given.keys() - set(_PARAMETERS)):
        known = ", ".join(_PARAMETERS)
        raise ConfigError(f"store URL with {len(unknown)} unknown parameter(s); known are {known}; {_NO_SECRETS}")
    store = S3Store(
        bucket=parts.netloc,
        prefix=unquote(parts.path).strip("/"),
        endpoint_url=given.get("endpoint_url"),
        region=given.get("region"),
        addressing_style=given.get("addressing_style"),
        verify=_truth(given.get("verify", "true")),
        atomic_create=_bool("atomic_create", given.get("atomic_create")),
        lock_days=_days(given.get("lock_days")),
        lock_mode=given.get("lock_mode", "GOVERNANCE"),  # type: ignore[arg-type]  # checked by the store
        versioned=_bool("versioned", given.get("versioned")) or False,
        is_untrusted=True,
    )
    if store.endpoint_url is not None:
        check_address(
            store.endpoint_url, what="endpoint_url of the store", instead="save the endpoint in a store block"
        )
    return store


def _truth(text: str) -> bool | str:
    return {"true": True, "false": False}.get(text.lower(), text)


def _days(text: str | None) -> int | None:
    if text is not None and not (text.isascii() and text.isdigit()):
        raise ConfigError("store URL: lock_days is a whole number of days")
    return None if text is None else int(text)


def _bool(name: str, text: str | None) -> bool | None:
    value = None if text is None else _truth(text)
    if isinstance(value, str):
        raise ConfigError(f"store URL: {name} is true or false")
    return value
