"""What every value of this package is made of."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Frozen"]


class Frozen(BaseModel):
    """A value: immutable, and closed to fields that nobody declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")
