"""The table of operations: what each does to dtype and shape, and the code it becomes."""

from generator.transforms.custom import check_custom, custom_paths
from generator.transforms.mismatch import Mismatch
from generator.transforms.operations import POSTPROCESS, PREPROCESS
from generator.transforms.postprocessing import Answer, AnswerFlow, flow_postprocess
from generator.transforms.preprocessing import Flow, Value, flow_preprocess

__all__ = [
    "POSTPROCESS",
    "PREPROCESS",
    "Answer",
    "AnswerFlow",
    "Flow",
    "Mismatch",
    "Value",
    "check_custom",
    "custom_paths",
    "flow_postprocess",
    "flow_preprocess",
]
