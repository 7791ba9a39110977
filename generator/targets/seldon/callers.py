"""What calls a SeldonDeployment: requests/."""

import base64
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Literal

from msgspec import Struct

from generator.artefact import Artefact, artefact
from generator.perf import image_size
from generator.planning import client_files
from generator.project import Dtype, Project
from generator.sample import png
from generator.targets.seldon.options import Options
from generator.targets.seldon.service import DOOR_PORT, Service, is_triton
from generator.targets.triton import options as triton
from generator.targets.triton.service import tensor_names
from generator.transforms.code import answer_of
from generator.transforms.component import gives
from generator.transforms.embedded import remaining
from generator.transforms.files import transforms_files
from generator.workload import namespace_flag

Names = tuple[str, ...]


class ClientCode(Struct, frozen=True):
    """What templates/seldon/requests/{client,grpc_client}.py.j2 say of one project.

    `sends`: encoded images as they are, samples that the transforms make of them, or tensors of
    .npy files. `gets`: a tensor, or JSON. An ingress routes gRPC by `service` and `namespace`.
    """

    project: str
    service: str
    namespace: str
    sends: Literal["images", "samples", "tensors"]
    gets: Literal["tensor", "json"]
    gives: str
    files: str
    packages: str
    dtype: Dtype
    imported: str
    read: str
    taken: str
    printed: str


def caller_files(project: Project, options: Options, service: Service) -> Iterator[Artefact]:
    """What sends requests to the orchestrator: a script with a sample, or sample clients."""
    if is_triton(options):
        yield from _triton_client(project, service)
        return
    code = client_code(project, service)
    if service.takes_images:
        yield from _image_files(project, service)
    else:
        if code.sends == "samples":
            yield from transforms_files(project, PurePosixPath("requests"))
        yield _request_file("client.py", code)
    yield _request_file("grpc_client.py", code)
    yield _request_file("prediction.proto", code)


def client_code(project: Project, service: Service) -> ClientCode:
    """Plan the clients of a graph whose nodes are classes of ours."""
    transforms = project.transforms
    sends: Literal["images", "samples", "tensors"] = "tensors"
    if service.takes_images:
        sends = "images"
    elif transforms.preprocess:
        sends = "samples"
    answer = answer_of(project)
    outside = remaining(transforms) if service.takes == "pixels" else transforms
    gets_json = sends == "images" and bool(outside.postprocess)
    alone = sends == "samples" and project.model.inputs[0].has_batch
    output = "postprocess(output)" if sends == "samples" and transforms.postprocess else "output"
    is_array = answer.kind == "tensor" or sends != "samples"
    packages = {
        "images": "grpcio grpcio-tools" + (" numpy" if not gets_json else ""),
        "samples": "grpcio grpcio-tools numpy pillow",
        "tensors": "grpcio grpcio-tools numpy",
    }
    return ClientCode(
        project=project.name,
        service=service.name,
        namespace=service.namespace or "default",
        sends=sends,
        gets="json" if gets_json else "tensor",
        gives=gives(answer),
        files="tensor.npy ..." if sends == "tensors" else "image.jpg ...",
        packages=packages[sends],
        dtype=project.model.inputs[0].dtype,
        imported="postprocess, preprocess" if transforms.postprocess else "preprocess",
        read="read(file)[np.newaxis]" if alone else "read(file)",
        taken="[output]" if alone else "output",
        printed=f"{output}.tolist()" if is_array and not gets_json else output,
    )


def triton_names(project: Project) -> tuple[Names, Names]:
    """What Triton calls the model's inputs and outputs."""
    defaults = triton.Options()
    return (
        tensor_names(project, defaults, side="INPUT"),
        tensor_names(project, defaults, side="OUTPUT"),
    )


def _triton_client(project: Project, service: Service) -> Iterator[Artefact]:
    """The client of Triton's v2 door, with what the orchestrator before it does not let through.

    It reads every body as JSON, so there is no raw tensor behind it. Source: function
    ChainKFserving in executor/api/rest/kfserving.go, https://github.com/SeldonIO/seldon-core/issues/3969.
    """
    inputs, outputs = triton_names(project)
    yield from client_files(
        project,
        model=service.model_node,
        inputs=inputs,
        outputs=outputs,
        grpc=service.is_grpc,
        raw=False,
        metadata={"seldon": service.name, "namespace": service.namespace or "default"},
    )


def _image_files(project: Project, service: Service) -> Iterator[Artefact]:
    """requests/predict.sh, and the body that it sends where it is given no image."""
    image = base64.b64encode(png(*image_size(project))).decode()
    body = {"binData": image}
    yield artefact("requests/native.json", "common/requests/body.json.j2", {"body": body})
    values = {
        "name": service.name,
        "host": f"{service.name}-{service.predictor}",
        "port": DOOR_PORT,
        "path": service.path,
        "namespace": service.namespace,
        "namespace_flag": namespace_flag(service.namespace),
        "field": project.transforms.request_field,
    }
    template = "seldon/requests/predict.sh.j2"
    yield artefact("requests/predict.sh", template, values, executable=True)


def _request_file(name: str, code: ClientCode) -> Artefact:
    return artefact(f"requests/{name}", f"seldon/requests/{name}.j2", {"code": code})
