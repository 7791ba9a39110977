"""What a project in Seldon Core is called, and the graph that it becomes."""

from typing import Literal

from msgspec import Struct

from generator.project import Project, Protocol
from generator.targets.seldon.options import ModelServer, Options, Role
from generator.targets.seldon.storage import model_uri
from generator.workload import PERF, Workload, image_name, image_names

HTTP_PORT = 9000  # of a node, by the wrapper's default; the operator counts up from it
GRPC_PORT = 9500
METRICS_PORT = 6000
DOOR_PORT = 8000  # of the orchestrator, REST and gRPC
DOOR_GRPC_PORT = 5001
ORCHESTRATOR = "orchestrator"

NodeType = Literal["MODEL", "TRANSFORMER", "OUTPUT_TRANSFORMER"]
ServiceType = Literal["MODEL", "TRANSFORMER"]
Takes = Literal["images", "pixels", "tensors"]
"""What the model's node is sent: encoded images that it transforms; encoded images that it decodes
for transforms inside the program; the model's tensors."""


class Component(Struct, frozen=True):
    """A node of the graph whose image is built here; all that it is called follows from its role.

    `class_name` is its module too. `service_type` is what the wrapper starts it as: it knows no
    OUTPUT_TRANSFORMER. `image` has its tag; None where the spec has no `images`.
    """

    role: Role
    type: NodeType
    service_type: ServiceType
    method: str
    node: str
    class_name: str
    folder: str
    image: str | None


_CALLED: dict[Role, tuple[NodeType, ServiceType, str, str, str]] = {
    "input": (
        "TRANSFORMER",
        "TRANSFORMER",
        "transform_input",
        "input-transformer",
        "InputTransformer",
    ),
    "model": ("MODEL", "MODEL", "predict", "model", "Model"),
    "output": (
        "OUTPUT_TRANSFORMER",
        "TRANSFORMER",
        "transform_output",
        "output-transformer",
        "OutputTransformer",
    ),
}
"""Of each role: type in the graph, type for the wrapper, method, node and folder, class."""

_SHARED = ("torch-server", "TorchServer")
"""Folder and class of the model where they know no project: its image is named so too."""


class Service(Struct, frozen=True):
    """Names that follow from a project and its options.

    `components` are the nodes whose images are built here, in the order that a request meets
    them; of model_server TRITON_SERVER none is. `takes` is what the model's node is sent,
    `model_uri` where it gets the program, None where its image holds it.
    """

    name: str
    predictor: str
    namespace: str | None
    components: tuple[Component, ...]
    model_node: str
    model_server: ModelServer
    takes: Takes
    protocol: Protocol
    is_grpc: bool
    model_uri: str | None
    images: dict[str, str]

    @property
    def takes_images(self) -> bool:
        """Whether clients of the whole graph send encoded images."""
        return self.takes != "tensors" or self.has("input")

    @property
    def holds_model(self) -> bool:
        """Whether the model's image holds the program too, for nothing downloads it."""
        return self.model_uri is None and self.has("model")

    def has(self, role: Role) -> bool:
        return any(component.role == role for component in self.components)

    def component(self, role: Role) -> Component:
        return next(component for component in self.components if component.role == role)

    @property
    def door_host(self) -> str:
        """The cluster-local host that clients call."""
        return ".".join(filter(None, (f"{self.name}-{self.predictor}", self.namespace)))

    @property
    def path(self) -> str:
        """Where clients post requests to the orchestrator."""
        if self.model_server == "TRITON_SERVER":
            return f"/v2/models/{self.model_node}/infer"
        return "/api/v1.0/predictions"


def describe(project: Project, options: Options) -> Service:
    """The service that a project becomes in Seldon Core."""
    components = tuple(_component(role, project, options) for role in _roles(project, options))
    images = {each.folder: each.image for each in components if each.image}
    if project.perf:
        images |= image_names(project, (PERF,), options.names.images)
    return Service(
        name=options.names.service or project.name,
        predictor=options.names.predictor,
        namespace=project.kubernetes.namespace,
        components=components,
        model_node=_model_node(project, options),
        model_server=options.model_server,
        takes=takes(project),
        protocol=project.serving.protocol or ("v2" if is_triton(options) else "native"),
        is_grpc=project.serving.transport == "grpc",
        model_uri=model_uri(project, options.rclone_remote),
        images=images,
    )


def workload(project: Project, options: Options) -> Workload:
    """The deployment's components and images."""
    service = describe(project, options)
    return Workload(
        target="seldon",
        service=service.name,
        scaler="hpa",
        mode="a SeldonDeployment",
        other_mode=None,
        components=(*(c.role for c in service.components if c.role != "model"), ORCHESTRATOR),
        built=(*(c.folder for c in service.components), *((PERF,) if project.perf else ())),
        image_names=options.names.images,
        renames_service=options.names.service is not None,
    )


def takes(project: Project) -> Takes:
    """What the model's node is sent."""
    transforms = project.transforms
    if not transforms.preprocess or transforms.run_in in ("component", "client"):
        return "tensors"
    return "images" if transforms.run_in == "server" else "pixels"


def is_triton(options: Options) -> bool:
    """Whether Triton runs the model: no class of ours does."""
    return options.model_server == "TRITON_SERVER"


def is_split(project: Project) -> bool:
    """Whether the transforms are nodes of their own."""
    return project.transforms.run_in == "component" and bool(project.transforms.preprocess)


def _roles(project: Project, options: Options) -> tuple[Role, ...]:
    roles: list[Role] = [] if is_triton(options) else ["model"]
    if is_split(project):
        roles.insert(0, "input")
        if project.transforms.postprocess:
            roles.append("output")
    return tuple(roles)


def _model_node(project: Project, options: Options) -> str:
    """Triton's is called like the model in its repository: the orchestrator asks by that name."""
    default = project.name if is_triton(options) else _CALLED["model"][3]
    return options.components.model.node or default


def _component(role: Role, project: Project, options: Options) -> Component:
    node_type, service_type, method, name, class_name = _CALLED[role]
    called = options.components.called(role)
    image, default_folder = called.image, name
    if role == "model" and options.model_server == "TORCH_SERVER":
        default_folder, class_name = _SHARED
        if project.images:
            image = image or f"{project.images.registry}/{default_folder}"
    folder = called.folder or default_folder
    holds_model = role == "model" and not project.storage
    return Component(
        role=role,
        type=node_type,
        service_type=service_type,
        method=method,
        node=called.node or name,
        class_name=called.class_name or class_name,
        folder=folder,
        image=image_name(project, folder, image, holds_bundle=holds_model),
    )
