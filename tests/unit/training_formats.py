"""The formats of training files as JSON Schemas."""

from typing import Any

__all__ = ["SCHEMAS"]

# The formats, as their own documentation states them and apart from the models that write them:
# https://huggingface.co/docs/trl/dataset_formats,
# https://developers.openai.com/api/docs/guides/supervised-fine-tuning (and vision-fine-tuning,
# direct-preference-optimization).
TURN = {
    "type": "object",
    "properties": {"role": {"enum": ["system", "user", "assistant"]}, "content": {"type": "string", "minLength": 1}},
    "required": ["role", "content"],
    "additionalProperties": False,
}
TURNS = {"type": "array", "items": TURN, "minItems": 1}
ANSWER = {
    "type": "array",
    "items": {"allOf": [TURN, {"properties": {"role": {"const": "assistant"}}}]},
    "minItems": 1,
    "maxItems": 1,
}
PART = {
    "oneOf": [
        {
            "type": "object",
            "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
            "required": ["type", "text"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {
                "type": {"const": "image_url"},
                "image_url": {
                    "type": "object",
                    "properties": {"url": {"type": "string", "pattern": "^(https?://|data:image/)"}},
                    "required": ["url"],
                },
            },
            "required": ["type", "image_url"],
            "additionalProperties": False,
        },
    ]
}
OPENAI_TURN = {
    "type": "object",
    "properties": {
        "role": {"enum": ["system", "user", "assistant"]},
        "content": {"oneOf": [{"type": "string", "minLength": 1}, {"type": "array", "items": PART, "minItems": 1}]},
        "weight": {"enum": [0, 1]},
    },
    "required": ["role", "content"],
    "additionalProperties": False,
}


def an_object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


SCHEMAS = {
    "trl-sft": an_object(messages={**TURNS, "minItems": 2}),
    "trl-dpo": an_object(prompt=TURNS, chosen=ANSWER, rejected=ANSWER),
    "trl-kto": an_object(prompt=TURNS, completion=ANSWER, label={"type": "boolean"}),
    "openai-sft": an_object(messages={"type": "array", "items": OPENAI_TURN, "minItems": 2}),
    "openai-dpo": an_object(input=an_object(messages=TURNS), preferred_output=ANSWER, non_preferred_output=ANSWER),
}
