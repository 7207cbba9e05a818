"""Connections that look whom they have reached before they say anything.

A name can lead to one address when it is checked and to another when it is connected to (DNS rebinding). So the
number is looked at once the connection stands: nothing was sent by then, no key, no TLS greeting.
"""

from typing import Any

from hitl_prefect.errors import ConfigError
from hitl_prefect.hosts import allowed_hosts, host_of

__all__ = ["look_at_peers"]


def look_at_peers(client: Any, endpoint_url: str) -> None:
    """Have a boto3 client refuse peers that `HITL_ALLOWED_HOSTS` does not allow; a proxy is the operator's own choice.

    Args:
        client: Not used yet.
        endpoint_url: Where it connects to; a host that is allowed by its name may be anywhere.

    Raises:
        ConfigError: If this botocore offers no place to look.
    """
    if allowed_hosts().names_it(host_of(endpoint_url) or ""):
        return
    try:
        manager = client._endpoint.http_session._manager  # noqa: SLF001 - botocore has no public place for this
        manager.pool_classes_by_scheme = {
            scheme: _looking(pool) for scheme, pool in manager.pool_classes_by_scheme.items()
        }
    except AttributeError as exc:
        raise ConfigError(
            "this botocore does not let connections be looked at, so that an endpoint in a URL is not safe: save a "
            "store block, or add the host to HITL_ALLOWED_HOSTS"
        ) from exc


def _looking(pool: type[Any]) -> type[Any]:
    """A connection pool whose connections look."""

    class Looking(pool.ConnectionCls):  # type: ignore[name-defined, misc]  # which it is, botocore decides
        def _new_conn(self) -> Any:
            connection = super()._new_conn()
            try:
                _check(self.host, connection.getpeername()[0])
            except BaseException:
                connection.close()
                raise
            return connection

    return type(f"Looking{pool.__name__}", (pool,), {"ConnectionCls": Looking})


def _check(host: str, peer: str) -> None:
    if not allowed_hosts().takes(peer):
        raise ConfigError(
            f"endpoint_url of the store: {host!r} leads to {peer}, which HITL_ALLOWED_HOSTS does not allow, so that "
            "nothing was sent: add the host there, or save the endpoint in a store block"
        )
