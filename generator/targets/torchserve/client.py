"""The gRPC client of TorchServe: requests/grpc_client.py with its proto."""

from collections.abc import Iterator

from msgspec import Struct

from generator.artefact import Artefact, artefact
from generator.targets.torchserve.service import Model, Service

FILES = {"images": "image.jpg ...", "pixels": "image.jpg ...", "anything": "file ..."}


class GrpcClientCode(Struct, frozen=True):
    """What templates/torchserve/requests/grpc_client.py.j2 says of one model.

    `inputs` are the model's where it takes several, each as an .npy file.
    """

    project: str
    model: str
    files: str
    also_needs: str
    tensors: bool
    inputs: tuple[str, ...]


def grpc_client_files(service: Service) -> Iterator[Artefact]:
    """requests/grpc_client.py and inference.proto, which it loads."""
    values = {"code": grpc_client_code(service.model)}
    for name in ("grpc_client.py", "inference.proto"):
        yield artefact(f"requests/{name}", f"torchserve/requests/{name}.j2", values)


def grpc_client_code(model: Model) -> GrpcClientCode:
    """Plan grpc_client.py for a model, whatever its handler takes."""
    tensors = model.takes == "tensors"
    names = tuple(tensor.name for tensor in model.project.model.inputs) if tensors else ()
    several = len(names) > 1
    return GrpcClientCode(
        project=model.project.name,
        model=model.name,
        files=" ".join(f"{name}.npy" for name in names) if tensors else FILES[model.takes],
        also_needs=", and numpy" if tensors else "",
        tensors=tensors,
        inputs=names if several else (),
    )
