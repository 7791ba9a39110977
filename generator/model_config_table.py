"""The tool that makes schemas/triton/model_config.json from Triton's own protobuf descriptors.

python -m generator.model_config_table > schemas/triton/model_config.json

It needs `tritonclient` and `protobuf` (installed with --no-deps); nothing else in the package does.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import sys
from types import ModuleType
from typing import Any

MODULE = "tritonclient/grpc/model_config_pb2.py"

_SCALARS = {  # descriptor.proto, enum FieldDescriptorProto.Type, as far as ModelConfig uses it
    1: "double",
    2: "float",
    3: "int64",
    4: "uint64",
    5: "int32",
    8: "bool",
    9: "string",
    13: "uint32",
}


def model_config_pb2() -> ModuleType:
    """Load the descriptors by path: the package around them imports numpy, grpc and more."""
    path = importlib.metadata.distribution("tritonclient").locate_file(MODULE)
    spec = importlib.util.spec_from_file_location("model_config_pb2", str(path))
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {MODULE}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table() -> dict[str, object]:
    """List the messages and enums that `ModelConfig` reaches, in the order of their names.

    A field is one line of words: `string`, `repeated int64`, `map string ModelParameter` or
    `oneof scheduling_choice ModelDynamicBatching`.
    """
    messages: dict[str, dict[str, str]] = {}
    enums: dict[str, dict[str, int]] = {}
    # Any: protobuf makes its descriptors at run time and ships no types
    found: list[Any] = [model_config_pb2().ModelConfig.DESCRIPTOR]
    while found:
        message = found.pop()
        if _name(message) in messages:
            continue
        messages[_name(message)] = {field.name: _words(field) for field in message.fields}
        for field in _leaves(message):
            if field.enum_type:
                enums[_name(field.enum_type)] = {
                    value.name: value.number for value in field.enum_type.values
                }
            if field.message_type:
                found.append(field.message_type)
    release = importlib.metadata.version("tritonclient")
    return {
        "source": f"tritonclient {release}, {MODULE}",
        "messages": dict(sorted(messages.items())),
        "enums": dict(sorted(enums.items())),
    }


def _leaves(message: Any) -> list[Any]:
    """List the fields of a message, a map standing as the value of its entries."""
    return [
        field.message_type.fields_by_name["value"] if _is_map(field) else field
        for field in message.fields
    ]


def _words(field: Any) -> str:
    """Describe one field."""
    if _is_map(field):
        key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
        return f"map {_type(key)} {_type(value)}"
    if field.is_repeated:
        return f"repeated {_type(field)}"
    if field.containing_oneof:
        return f"oneof {field.containing_oneof.name} {_type(field)}"
    return _type(field)


def _type(field: Any) -> str:
    """Name the type of one value of a field."""
    if field.message_type or field.enum_type:
        return _name(field.message_type or field.enum_type)
    return _SCALARS[field.type]


def _name(descriptor: Any) -> str:
    return str(descriptor.full_name).removeprefix("inference.")


def _is_map(field: Any) -> bool:
    return bool(field.message_type and field.message_type.GetOptions().map_entry)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(table(), indent=1) + "\n")
