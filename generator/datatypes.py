"""What the Open Inference (V2) protocol calls the dtypes of a spec."""

from collections.abc import Mapping

from generator.project import Dtype

DATATYPE: Mapping[Dtype, str] = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
}  # https://github.com/kserve/open-inference-protocol, tensor data types
