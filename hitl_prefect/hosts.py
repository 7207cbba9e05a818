"""Which hosts an address may lead to that somebody else wrote: the endpoint in a store's URL, an image of a case.

Whoever writes such an address could point it at what only this machine, or the model's server, can reach: the keys of
a cloud machine at 169.254.169.254, a database of the private network. What the operator has set, in a block or in the
environment, is trusted and not looked at.
"""

import os
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from pydantic_core import Url

from hitl_prefect.errors import ConfigError

__all__ = ["AllowedHosts", "allowed_hosts", "check_address", "host_of", "is_loopback"]

_VARIABLE = "HITL_ALLOWED_HOSTS"
_PUBLIC = "public"

_Address = IPv4Address | IPv6Address

_PLAIN = re.compile(r"(?i)https?://[^\s\\\x00-\x1f\x7f]+")
"""Without what parsers disagree about: one skips a line break or turns a backslash, and finds another host."""
_NAME = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_TOP_LEVEL = re.compile(r"[a-z]+|xn--[a-z0-9-]+")
"""How public names end, whose last label is a word: `server.hitl-prod` and `redis.app_default` are none."""
_NEVER_PUBLIC = ("arpa", "internal", "intranet", "lan", "local", "localdomain", "localhost", "corp", "home", "private")
_OF_CLUSTERS = ("consul", "default", "pod", "svc")
"""Endings of names that lead nowhere outside: `metadata.google.internal` is one, `server.hitl.svc` another."""
_AZURE_WIRE_SERVER = ip_address("168.63.129.16")
"""Public by its number, and the door to the keys of a machine at Azure."""
_NAT64 = ip_network("64:ff9b::/96")
_GLOBAL_UNICAST = ip_network("2000::/3")
"""The IPv6 addresses that are given out; what else there is leads inside, or wraps an IPv4 address in an old way."""


@dataclass(frozen=True)
class AllowedHosts:
    """Where addresses that somebody else wrote may lead."""

    names: frozenset[str]
    """Hosts by name or number; `*.example.com` is every host below `example.com`."""
    networks: tuple[IPv4Network | IPv6Network, ...]
    public: bool
    """Whether every public address is allowed."""

    def names_it(self, host: str) -> bool:
        """Whether a host is allowed by its name, wherever that leads."""
        _, *above = host.split(".")
        return host in self.names or any(f"*.{'.'.join(above[at:])}" in self.names for at in range(len(above)))

    def may_be(self, host: str) -> bool:
        """Whether a host is allowed, as far as that can be told before it is connected to."""
        return self.takes(host) if _number(host) else self.public and _sounds_public(host)

    def takes(self, address: str) -> bool:
        """Whether a number may be connected to; what cannot be read may not."""
        found = _number(address)
        return found is not None and ((self.public and _is_public(found)) or any(found in one for one in self.networks))


def allowed_hosts() -> AllowedHosts:
    """What `HITL_ALLOWED_HOSTS` says: names, numbers, networks and `public`, set apart by commas; unset it is `public`.

    Raises:
        ConfigError: If an entry is none of these.
    """
    entries = [one.strip().lower() for one in os.environ.get(_VARIABLE, _PUBLIC).split(",")]
    named = [one for one in entries if one and one != _PUBLIC]
    networks = {one: found for one in named if (found := _network(one))}
    names = frozenset(one for one in named if one not in networks)
    if odd := sorted(one for one in names if not _NAME.fullmatch(one)):
        raise ConfigError(
            f"{_VARIABLE} holds {odd[0]!r}: write hosts (s3.example.com, *.example.com), numbers, networks "
            f"(10.0.0.0/8) and {_PUBLIC!r}, set apart by commas"
        )
    return AllowedHosts(names=names, networks=tuple(networks.values()), public=_PUBLIC in entries)


def check_address(url: str, *, what: str, instead: str = "") -> None:
    """Refuse an address that somebody else wrote and that may not be followed.

    A name is not looked up here: who connects checks the number that it has reached.

    Args:
        url: Where it leads, `http://` or `https://`.
        what: What it is an address of, for the message.
        instead: What else its author could do, for the message.

    Raises:
        ConfigError: If its host is not allowed, or nobody can say for certain which it is.

    >>> check_address("https://example.com/receipt.png", what="an image")
    >>> check_address("http://169.254.169.254/latest/meta-data", what="an image")
    Traceback (most recent call last):
    ...
    hitl_prefect.errors.ConfigError: an image is at '169.254.169.254', which HITL_ALLOWED_HOSTS does not allow \
('public', where it is not set): add the host there
    """
    allowed, host = allowed_hosts(), host_of(url)
    if host is None:
        raise ConfigError(f"{what} has an address whose host is not plain: write http(s)://host/path, without a user")
    if allowed.names_it(host) or allowed.may_be(host):
        return
    raise ConfigError(
        f"{what} is at {host!r}, which {_VARIABLE} does not allow ({_PUBLIC!r}, where it is not set): add the host "
        f"there{f', or {instead}' if instead else ''}"
    )


def host_of(url: str) -> str | None:
    """The host as browsers read it, for whom 2130706433 is 127.0.0.1; `None` where nobody can say for certain."""
    if not _PLAIN.fullmatch(url):
        return None
    try:
        parts = Url(url)
    except ValueError:
        return None
    if parts.username or parts.password or not parts.host:
        return None
    return parts.host.strip("[]").rstrip(".").lower() or None


def is_loopback(host: str) -> bool:
    """Whether a host, by name or number, is the machine that asks.

    >>> is_loopback("127.0.0.2"), is_loopback("::1"), is_loopback("localhost"), is_loopback("localhost-prod.example")
    (True, True, True, False)
    """
    found = _number(host)
    return host == "localhost" if found is None else found.is_loopback


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return None


def _number(text: str) -> _Address | None:
    """The address, unwrapped where one of IPv6 stands for one of IPv4."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv4Address):
        return found
    teredo = found.teredo[1] if found.teredo else None
    nat64 = IPv4Address(int(found) & 0xFFFFFFFF) if found in _NAT64 else None
    return found.ipv4_mapped or found.sixtofour or teredo or nat64 or found


def _is_public(address: _Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast and address != _AZURE_WIRE_SERVER


def _sounds_public(host: str) -> bool:
    _, dot, last = host.rpartition(".")
    return bool(dot) and last not in (*_NEVER_PUBLIC, *_OF_CLUSTERS) and bool(_TOP_LEVEL.fullmatch(last))
