"""A reviewer's own key files: one PKCS #8 file per name, which nobody else can read.

Above the key stands its public half in a line of its own, so that listing needs no passphrase. Private keys reach
nothing but these files: no log, no error, no outcome.
"""

import getpass
import os
import stat
import sys
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, unquote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from hitl_prefect.errors import ConfigError
from hitl_prefect.frozen import Frozen
from hitl_prefect.inert import visible
from hitl_prefect.signing import public_key_of

__all__ = ["KeyFile", "key_files", "keys_folder", "make_key", "private_key"]

_PUBLIC = "Public-Key: "
_PASSPHRASE = "HITL_KEY_PASSPHRASE"  # noqa: S105 - the name of a variable
_LONGEST_NAME = 200


class KeyFile(Frozen):
    """One reviewer's key on this machine."""

    name: str
    public_key: str
    """As `Policy.reviewer_keys` takes it."""
    path: Path
    encrypted: bool
    """Whether it opens only with a passphrase."""


def keys_folder() -> Path:
    """Where key files are: `$HITL_KEYS`, or `hitl/keys` in the user's configuration folder."""
    if named := os.environ.get("HITL_KEYS"):
        return Path(named).expanduser()
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config) / "hitl" / "keys"


def make_key(name: str, *, passphrase: str | None = None) -> KeyFile:
    """Make a reviewer's key; an existing one is never overwritten.

    Args:
        name: The reviewer, as the policy names them.
        passphrase: Encrypts the file.

    Raises:
        ConfigError: If the name is empty or too long, the file exists, or the folder cannot be written.
    """
    path = _path(name)
    key = Ed25519PrivateKey.generate()
    body = f"{_PUBLIC}{public_key_of(key)}\n".encode() + key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, _encryption(passphrase)
    )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_own(path, body)
    except FileExistsError:
        raise ConfigError(f"{visible(name)!r} has a key in {path}: keep it, or move it away first") from None
    except OSError as exc:
        raise ConfigError(f"no key can be written to {path}: {exc.strerror}; set HITL_KEYS to your own folder") from exc
    return KeyFile(name=name, public_key=public_key_of(key), path=path, encrypted=passphrase is not None)


def key_files() -> list[KeyFile]:
    """Every reviewer's key on this machine, by name; empty where none was made.

    Raises:
        ConfigError: If a file cannot be read, or holds no key.
    """
    return [_listed(path) for path in sorted(keys_folder().glob("*.pem"))]


def private_key(name: str) -> Ed25519PrivateKey:
    """A reviewer's key, to sign with.

    A passphrase comes from `HITL_KEY_PASSPHRASE`, or is asked for where there is a terminal.

    Raises:
        ConfigError: If there is no such key, others can read it, or it does not open.
    """
    path = _path(name)
    try:
        state = path.stat()
    except OSError:
        raise ConfigError(
            f"no key of {visible(name)!r} in {path.parent}: make one with `hitl keys make {visible(name)}` and have "
            "its line added to the policy's reviewer_keys, or name the reviewer whose key you hold with --reviewer"
        ) from None
    _check_mode(path, state)
    return _opened(path, state.st_mtime_ns)


@lru_cache(maxsize=8)
def _opened(path: Path, _changed_at: int) -> Ed25519PrivateKey:
    """Opened once for all that is answered: a passphrase is slow on purpose, and typed once."""
    body = _read(path)
    passphrase = _passphrase(path) if _is_encrypted(body) else None
    try:
        key = load_pem_private_key(body, passphrase)
    except ValueError:
        why = "the passphrase is wrong" if passphrase else "it is damaged"
        # Without the cause: nothing of a key file or a passphrase may reach a log.
        raise ConfigError(f"the key {path} does not open: {why}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path} is no Ed25519 key: make one with `hitl keys make`")
    return key


def _passphrase(path: Path) -> bytes:
    if given := os.environ.get(_PASSPHRASE):
        return given.encode()
    if not sys.stdin.isatty():
        raise ConfigError(f"the key {path} has a passphrase: set {_PASSPHRASE}, or answer in a terminal")
    return getpass.getpass(f"Passphrase of {path.name}: ").encode()


def _listed(path: Path) -> KeyFile:
    body = _read(path)
    first = body.split(b"\n", 1)[0].decode(errors="replace")
    if not first.startswith(_PUBLIC):
        raise ConfigError(f"{path} was not made by `hitl keys make`: its first line names no public key")
    return KeyFile(
        name=unquote(path.stem),
        public_key=first.removeprefix(_PUBLIC),
        path=path,
        encrypted=_is_encrypted(body),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"the key {path} cannot be read: {exc.strerror}") from exc


def _check_mode(path: Path, state: os.stat_result) -> None:
    # Windows has no such modes: there a user's folder is the user's own.
    if os.name != "posix":
        return
    own = state.st_uid == os.geteuid()
    if _is_open(state.st_mode, own=own):
        mend = f"`chmod 600 {path}`" if own else "let its owner take the permissions of all others away"
        raise ConfigError(f"others can read the key {path}: {mend}, and make a new one if they have")


def _is_open(mode: int, *, own: bool) -> bool:
    """Whether a key file is open to more users than it must be.

    A mounted Secret of Kubernetes belongs to root, and a process reads it through its group: a group may use what is
    not the process's own.

    >>> [_is_open(0o440, own=own) for own in (True, False)]
    [True, False]
    >>> [_is_open(0o444, own=own) for own in (True, False)]
    [True, True]
    """
    return bool(stat.S_IMODE(mode) & (0o077 if own else 0o007))


def _write_own(path: Path, body: bytes) -> None:
    """Create a file that is the user's own from the first moment; a half-written one does not stay."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _path(name: str) -> Path:
    file_name = quote(name, safe=" @+", errors="replace")
    # A terminal's bytes that are no UTF-8 would be listed under another name.
    is_kept = unquote(file_name) == name.strip() == name != ""
    if not is_kept or len(file_name) > _LONGEST_NAME:
        raise ConfigError(
            f"{visible(name[:_LONGEST_NAME])!r} is no reviewer's name: 1 to {_LONGEST_NAME} bytes of UTF-8, no space "
            "around"
        )
    return keys_folder() / f"{file_name}.pem"


def _encryption(passphrase: str | None) -> KeySerializationEncryption:
    return BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()


def _is_encrypted(body: bytes) -> bool:
    return b"BEGIN ENCRYPTED" in body
