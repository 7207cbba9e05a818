"""What every value of this package is made of."""

from typing import Any

from pydantic import BaseModel, ConfigDict

__all__ = ["Frozen", "record_schema"]


class Frozen(BaseModel):
    """A value: immutable, and closed to fields that nobody declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def record_schema(record: type[Frozen]) -> dict[str, Any]:
    """The JSON Schema of a stored record, whose title names format and version, such as `hitl.outcome/v1`."""
    schema = record.model_json_schema(by_alias=True, mode="serialization")
    name = str(schema["title"]).replace("/", ":")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:{name}", **schema}
