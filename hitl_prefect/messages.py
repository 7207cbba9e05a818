"""What a model is shown: turns of a conversation, with text and images."""

import base64
import hashlib
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from hitl_prefect.errors import ConfigError
from hitl_prefect.frozen import Frozen
from hitl_prefect.hosts import check_address

__all__ = ["Image", "MediaType", "Message", "conversation"]

MediaType = Literal["image/png", "image/jpeg", "image/gif", "image/webp"]

_LARGEST = 20 * 1024 * 1024
"""Bytes; what the providers take at most."""
_MAGIC: dict[bytes, MediaType] = {
    b"\x89PNG\r\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
}


class Image(Frozen):
    r"""A picture: an address that the provider fetches, or the picture itself.

    >>> Image.from_bytes(b"\x89PNG\r\n...").describe()
    '[image/png, 9 bytes, sha256 1236c11b455c]'
    """

    url: str | None = Field(default=None, pattern=r"^https?://")
    data: str | None = None
    """The picture as base64."""
    media_type: MediaType | None = None
    """What `data` holds."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.url is None) is (self.data is None):
            raise ValueError("an image has either a url or data")
        found = None if self.data is None else self._found()
        if self.media_type == found and (found is None) is (self.data is None):
            return self
        raise ValueError("media_type is that of data, as `Image.from_file` writes both, and goes with nothing else")

    def _found(self) -> MediaType | None:
        try:
            return _kind_of(base64.b64decode(self.data or "", validate=True))
        except ValueError:
            return None

    @classmethod
    def from_bytes(cls, picture: bytes) -> Self:
        """The picture itself.

        Raises:
            ConfigError: If it is no PNG, JPEG, GIF or WebP, or larger than 20 MiB.
        """
        kind = _kind_of(picture)
        if kind is None:
            raise ConfigError("the image is no PNG, JPEG, GIF or WebP; convert it first")
        if len(picture) > _LARGEST:
            raise ConfigError(f"the image has {len(picture):,} bytes; providers take {_LARGEST:,}: make it smaller")
        return cls(data=base64.b64encode(picture).decode(), media_type=kind)

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """The picture in a file.

        Raises:
            ConfigError: If it cannot be read, or is no picture that providers take.
        """
        try:
            return cls.from_bytes(Path(path).read_bytes())
        except OSError as exc:
            raise ConfigError(f"cannot read the image {str(path)!r}: {exc}") from exc

    def address(self) -> str | None:
        """Where the provider fetches it; `None` where the image holds the picture itself.

        Raises:
            ConfigError: If `HITL_ALLOWED_HOSTS` does not allow the host: a server of the private network would fetch
                what only that can reach.
        """
        if self.url is not None:
            check_address(self.url, what="an image")
        return self.url

    def describe(self) -> str:
        """The image in words, for people and logs: never the picture itself."""
        if self.data is None:
            return f"[image {self.url}]"
        picture = base64.b64decode(self.data)
        return f"[{self.media_type}, {len(picture):,} bytes, sha256 {hashlib.sha256(picture).hexdigest()[:12]}]"


def _kind_of(picture: bytes) -> MediaType | None:
    if picture.startswith(b"RIFF") and picture[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _MAGIC.items() if picture.startswith(magic)), None)


class Message(Frozen):
    r"""One turn of the conversation that the model is shown.

    >>> Message(role="user", content=("Which shop?", Image(url="https://example.com/receipt.png"))).text
    'Which shop?\n[image https://example.com/receipt.png]'
    """

    role: Literal["system", "user", "assistant"]
    content: str | tuple[str | Image, ...]
    """Text, or pieces of text and images in order; only the user's turns hold images."""

    @model_validator(mode="after")
    def _only_users_show_images(self) -> Self:
        if self.role != "user" and any(isinstance(piece, Image) for piece in self.pieces):
            raise ValueError(f"a turn of the {self.role} holds an image; put it into a turn of the user")
        return self

    @property
    def pieces(self) -> tuple[str | Image, ...]:
        """The content piece by piece, also where it is one text."""
        return (self.content,) if isinstance(self.content, str) else self.content

    @property
    def text(self) -> str:
        """The content as text, images in words."""
        return "\n".join(piece if isinstance(piece, str) else piece.describe() for piece in self.pieces)


def conversation(prompt: str | tuple[Message, ...]) -> tuple[Message, ...]:
    """The turns of a prompt, also where it is one string."""
    return (Message(role="user", content=prompt),) if isinstance(prompt, str) else prompt
