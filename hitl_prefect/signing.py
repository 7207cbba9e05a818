"""Signatures: Ed25519 over canonical bytes that a stored object gives back, to the letter, years later.

Source: RFC 8032; `cryptography` does the arithmetic.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from pydantic import JsonValue

from hitl_prefect.canonical import canonical_bytes, sha256_of
from hitl_prefect.frozen import Frozen

if TYPE_CHECKING:
    # Policies import this module, and Prefect imports policies in every process: what few need is loaded when needed.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = [
    "SignedRecord",
    "Statement",
    "check_public_key",
    "public_key_of",
    "sign",
    "sign_verdict",
    "verify_signature",
    "verify_verdict",
]

_SCHEMA = "hitl.verdict-signature/v1"
_PREFIX = "ed25519:"


class Statement(Frozen):
    """What a reviewer signs."""

    task: str
    case: str
    draft_sha256: str
    """The draft; what `approve` lets ship."""
    form_sha256: str
    """The form and its description. Each time of asking has another, so that a signature serves no other round, run or
    case."""
    decision: str
    answer: JsonValue = None
    """What `edit` lets ship, as it is stored; `None` for every other decision."""
    guidance: str = ""
    reason: str = ""
    reviewer: str

    @property
    def signed(self) -> bytes:
        """The bytes that are signed.

        Raises:
            ValueError: If the statement holds what JSON cannot say: NaN, an infinity, half of a surrogate pair.
        """
        return canonical_bytes(
            {**self.model_dump(mode="json"), "schema": _SCHEMA, "answer": _with_plain_numbers(self.answer)}
        )


class SignedRecord(Frozen):
    """A stored object of its own kind, which its `schema` names, that a key may sign."""

    public_key: str | None = None
    """Of the key that signed it."""
    signature: str | None = None
    """Ed25519 over `signed`."""

    @property
    def signed(self) -> bytes:
        """The bytes that are signed: all but the signature."""
        return canonical_bytes(self.model_dump(mode="json", by_alias=True, exclude={"signature"}))

    @property
    def stored(self) -> bytes:
        """The canonical bytes: same record, same bytes."""
        return canonical_bytes(self)

    @property
    def sha256(self) -> str:
        """Of the canonical bytes."""
        return sha256_of(self)

    @property
    def unsigned(self) -> Self:
        """The same as it was before anybody signed it."""
        return self.model_copy(update={"public_key": None, "signature": None})

    def signed_with(self, key: "Ed25519PrivateKey | None") -> Self:
        """The same, signed; as it is where there is no key."""
        if key is None:
            return self
        named = self.model_copy(update={"public_key": public_key_of(key)})
        return named.model_copy(update={"signature": sign(key, named.signed)})

    def why_unsigned(self, keys: Sequence[str]) -> str | None:
        """Why it does not count as signed by one of some public keys; `None` where it does, or none is given."""
        if not keys:
            return None
        if self.signature is None:
            return "it is not signed"
        if any(verify_signature(key, self.signed, self.signature) for key in keys):
            return None
        return "its signature is not by one of the given keys, or not over what stands here"


def sign_verdict(key: "Ed25519PrivateKey", statement: Statement) -> str:
    """The signature as a verdict keeps it: `ed25519:` and base64.

    Raises:
        ValueError: If the statement holds what JSON cannot say.
    """
    return sign(key, statement.signed)


def sign(key: "Ed25519PrivateKey", said: bytes) -> str:
    """The signature of some bytes: `ed25519:` and base64. What is signed names its own kind, such as a `schema`."""
    return _spelt(key.sign(said))


def verify_verdict(public_key: str, statement: Statement, signature: str) -> bool:
    """Whether the owner of a public key has signed this very statement.

    Args:
        public_key: As `hitl keys` prints it.
        statement: What is said to be signed.
        signature: As `sign_verdict` made it; anything else is no signature.

    Raises:
        ValueError: If the public key is none.
    """
    _public_key(public_key)
    try:
        said = statement.signed
    except ValueError:
        return False
    return verify_signature(public_key, said, signature)


def verify_signature(public_key: str, said: bytes, signature: str) -> bool:
    """Whether the owner of a public key has signed these very bytes.

    Raises:
        ValueError: If the public key is none.
    """
    from cryptography.exceptions import InvalidSignature

    key = _public_key(public_key)
    try:
        key.verify(_decoded(signature), said)
    except (InvalidSignature, ValueError):
        return False
    return True


def public_key_of(key: "Ed25519PrivateKey") -> str:
    """The public half, as `Policy.reviewer_keys` takes it."""
    return _spelt(key.public_key().public_bytes_raw())


def check_public_key(text: str) -> None:
    """Refuse what is no public key.

    Raises:
        ValueError: Saying what one looks like.

    >>> check_public_key("ssh-ed25519 AAAA")
    Traceback (most recent call last):
    ...
    ValueError: a public key is 'ed25519:' and the base64 of 32 bytes, as `hitl keys make` prints it
    """
    _public_key(text)


def _public_key(text: str) -> "Ed25519PublicKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        return Ed25519PublicKey.from_public_bytes(_decoded(text))
    except ValueError:
        raise ValueError(
            "a public key is 'ed25519:' and the base64 of 32 bytes, as `hitl keys make` prints it"
        ) from None


def _decoded(text: str) -> bytes:
    """The bytes behind `ed25519:`; one spelling each, so that one key cannot stand under two names."""
    try:
        raw = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error as exc:
        raise ValueError("it is no base64") from exc
    if text != _spelt(raw):
        raise ValueError("it is not 'ed25519:' and base64 as everybody writes it")
    return raw


def _spelt(raw: bytes) -> str:
    return _PREFIX + base64.b64encode(raw).decode()


def _with_plain_numbers(value: JsonValue) -> JsonValue:
    """`12.0` as `12`: JSON has one kind of number, and so has whoever types it (as RFC 8785 writes them)."""
    if isinstance(value, dict):
        return {key: _with_plain_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_plain_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
