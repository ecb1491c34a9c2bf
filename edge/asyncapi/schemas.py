"""JSON Schemas of what the edge reads and says: parameters from their records, results from the protos' descriptors. Pure."""

from collections.abc import Collection
from typing import Any, TypeAlias

import msgspec
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from edge.asyncapi.comments import comments
from edge.params import PARAMS

Schema: TypeAlias = dict[str, Any]

PREFIX = "#/components/schemas/"
TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
TIME: Schema = {"type": "string", "format": "date-time"}
INT64: Schema = {"type": "string", "pattern": "^-?[0-9]{1,19}$"}
_PLAIN = {
    FieldDescriptor.CPPTYPE_STRING: TEXT,
    FieldDescriptor.CPPTYPE_INT64: INT64,
    FieldDescriptor.CPPTYPE_INT32: WHOLE,
    FieldDescriptor.CPPTYPE_BOOL: {"type": "boolean"},
}


def ref(name: str) -> Schema:
    """Return a reference to a schema of the document."""
    return {"$ref": f"{PREFIX}{name}"}


def array(items: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


def record(properties: dict[str, Schema], *, optional: Collection[str] = ()) -> Schema:
    """Return the schema of an object that has these members and no others."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def parameters() -> dict[str, Schema]:
    """Return the schema of each kind of parameters, by its name."""
    _, found = msgspec.json.schema_components(dict.fromkeys(PARAMS.values()), ref_template=PREFIX + "{name}")
    for schema in found.values():
        schema.pop("title")
        for field in schema["properties"].values():
            field.pop("default", None)
    return dict(found)


class Messages:
    """Schemas of protobuf messages as edge/rendering.py writes them; those that a message holds are added by themselves."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}

    def of(self, descriptor: Descriptor) -> Schema:
        """Return a reference to a message's schema."""
        if descriptor.name not in self.schemas:
            self.schemas[descriptor.name] = {}
            self.schemas[descriptor.name] = self.part_of(descriptor, [field.name for field in descriptor.fields])
        return ref(descriptor.name)

    def part_of(self, descriptor: Descriptor, names: Collection[str]) -> Schema:
        """Return the schema of some fields (proto names) of a message."""
        told = comments()
        fields = [field for field in descriptor.fields if field.name in names]
        properties = {
            field.json_name: self._field(field) | _description(told.get(f"{descriptor.name}.{field.name}"))
            for field in fields
        }
        schema = record(properties, optional=[field.json_name for field in fields if field.has_presence])
        return _description(told.get(descriptor.name)) | schema

    def _field(self, field: FieldDescriptor) -> Schema:
        one = self._one(field)
        return array(one) if field.is_repeated else one

    def _one(self, field: FieldDescriptor) -> Schema:
        if field.enum_type is not None:
            return {"type": "string", "enum": [value.name for value in field.enum_type.values]}
        if field.message_type is None:
            return dict(_PLAIN[field.cpp_type])
        if field.message_type.full_name == "google.protobuf.Timestamp":
            return dict(TIME)
        # Beside a reference nothing else counts in this dialect.
        return {"allOf": [self.of(field.message_type)]}


def _description(text: str | None) -> Schema:
    return {"description": text} if text else {}
