"""The values of config.pbtxt."""

from generator.datatypes import DATATYPE
from generator.project import Project, Tensor
from generator.resources import microseconds, threads_per_instance
from generator.targets.triton.formats import LOADED
from generator.targets.triton.options import Options
from generator.targets.triton.service import Service, tensor_names
from generator.transforms.embedded import as_called, is_embedded

LABELS = "labels.txt"


def config_values(project: Project, options: Options, service: Service) -> dict[str, object]:
    """What templates/triton/models/config.pbtxt.j2 lays out."""
    model, hardware = as_called(project).model, project.hardware
    loaded = LOADED[project.export.format]
    within, between = loaded.threads
    labels = LABELS if model.class_names else None
    return {
        "name": service.model,
        "platform": loaded.platform,
        "backend": loaded.backend,
        "max_batch_size": service.max_batch_size,
        "takes_pixels": is_embedded(project.transforms),
        "inputs": _tensors(model.inputs, tensor_names(project, options, side="INPUT")),
        "outputs": _tensors(model.outputs, tensor_names(project, options, side="OUTPUT"), labels),
        "batching": _batching(project, service),
        "instances": hardware.model_instances,
        "on_gpu": hardware.accelerator == "nvidia",
        "versions": [model.version],
        "threads": {within: str(threads_per_instance(hardware)), between: "1"},
    }


def _tensors(
    tensors: tuple[Tensor, ...], names: tuple[str, ...], labels: str | None = None
) -> list[dict[str, object]]:
    """Labels go to the first tensor, the one that has the classes."""
    return [
        {
            "name": name,
            "role": tensor.name,
            # The enum DataType of model_config.proto has the protocol's words.
            "data_type": f"TYPE_{DATATYPE[tensor.dtype]}",
            # Triton has no tensors of rank 0; a number per sample is [1], reshaped.
            "dims": [size if isinstance(size, int) else -1 for size in tensor.sample_shape] or [1],
            "is_scalar": not tensor.sample_shape,
            "label_filename": labels if index == 0 else None,
        }
        for index, (name, tensor) in enumerate(zip(names, tensors, strict=True))
    ]


def _batching(project: Project, service: Service) -> dict[str, object] | None:
    batching = project.serving.batching
    if not batching.dynamic or service.max_batch_size < 2:
        return None
    return {
        "preferred": sorted(batching.preferred),
        "delay_microseconds": microseconds(batching.delay) if batching.delay else 0,
    }
