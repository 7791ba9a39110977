"""The sample client that carries the transforms: the values of templates/common/client.py.j2."""

from collections.abc import Mapping

from msgspec import Struct, field

from generator.datatypes import DATATYPE
from generator.project import Project
from generator.transforms.code import answer_of
from generator.transforms.component import NUMPY, NUMPY_NAME, PILLOW, gives, merged
from generator.transforms.embedded import as_called, is_embedded, remaining


class ClientCode(Struct, frozen=True):
    """What client.py says of one project; `grpc` speaks with tritonclient, else plain HTTP.

    `pixels`: the program transforms, and takes one image [channels, height, width]. `raw`: HTTP
    carries tensors as raw bytes behind the JSON. `metadata` goes along with gRPC's request.
    """

    project: str
    gives: str
    imported: str
    grpc: bool
    pixels: bool
    model: str
    input_name: str
    input_datatype: str
    output_name: str
    output_dtype: str
    batched: bool
    service: str
    printed: str
    raw: bool = True
    metadata: Mapping[str, str] = field(default_factory=dict)


def client_code(
    project: Project,
    *,
    model_name: str,
    input_name: str,
    output_name: str,
    raw: bool = True,
    metadata: Mapping[str, str] | None = None,
) -> ClientCode:
    """Plan client.py of a project whose transforms have no mismatch.

    The names are Triton's. The model has one input and, with postprocess, one output.
    """
    model = as_called(project).model
    pixels = is_embedded(project.transforms)
    steps = remaining(project.transforms) if pixels else project.transforms
    postprocesses = bool(steps.postprocess)
    result = "postprocess(output)" if postprocesses else "output"
    answer = answer_of(project)
    grpc = project.serving.transport == "grpc"
    return ClientCode(
        project=project.name,
        gives=gives(answer),
        imported="postprocess, preprocess" if postprocesses else "preprocess",
        grpc=grpc,
        pixels=pixels,
        model=model_name,
        input_name=input_name,
        input_datatype=DATATYPE[model.inputs[0].dtype],
        output_name=output_name,
        output_dtype=NUMPY_NAME.get(model.outputs[0].dtype, model.outputs[0].dtype),
        batched=model.inputs[0].has_batch,
        service="args.address, args.authority" if grpc else "args.url, args.host",
        printed=f"{result}.tolist()" if answer.kind == "tensor" else result,
        raw=raw,
        metadata=metadata or {},
    )


def client_requirements(project: Project) -> tuple[str, ...]:
    """Packages that client.py needs, sorted; the user's own line replaces ours for a package."""
    grpc = ("tritonclient[grpc]==2.73.0",) if project.serving.transport == "grpc" else ()
    return merged((NUMPY, PILLOW, *grpc), project.transforms.requirements)
