"""What KServe's webhooks and controller refuse of an InferenceService or a ServingRuntime.

Of kserve/kserve, [validation] is pkg/apis/serving/v1beta1/inference_service_validation.go,
[component] pkg/apis/serving/v1beta1/component.go, and [controller]
pkg/controller/v1beta1/inferenceservice; [ran] was tried against a real API server,
where nothing refused it.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping

from generator.diagnostics import Severity
from generator.problem import did_you_mean
from generator.webhook_rules.kserve_runtimes import PROTOCOLS
from generator.webhook_rules.nodes import Found, Node, Rendered, Rule
from generator.webhook_rules.services import (
    FRAMEWORKS,
    KSERVE,
    MAIN_CONTAINER,
    Component,
    annotation,
    components,
    inference_services,
    main_container,
    runtimes,
)

# utils/utils.go of the controller, SupportedStorageURIPrefixList.
SCHEMES = (
    "gs",
    "s3",
    "pvc",
    "file",
    "https",
    "http",
    "hdfs",
    "webhdfs",
    "oci",
    "oci+native",
    "oci+fetch",
    "hf",
)
AZURE = "blob.core.windows.net"
COLLOCATED_TRANSFORMER = "transformer-container"
MODELS = "/mnt/models"  # default of mountPath
LONGEST_SERVICE_NAME = 63  # apimachinery, DNS1035LabelMaxLength
RESOURCE_ID = r"kbs:///[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/[a-zA-Z0-9_.-]+"
V2_BY_DEFAULT = ("triton", "onnx", "huggingface")  # inference_service_defaults.go


def two_predictors(rendered: Rendered) -> Iterator[Found]:
    """KServe serves exactly one of its model fields or a container of one's own [validation]."""
    for component in components(rendered):
        own = [c for c in component.spec.at("containers").elements if _is_main(c)]
        found = [str(model.path[-1]) for model in component.models]
        found += [f"container {MAIN_CONTAINER}"] if own else []
        if len(found) > 1:
            text = f"two predictors: {' and '.join(f'`{name}`' for name in found)}"
            hint = "keep `model`" if "model" in found else "keep one"
            yield component.spec.refused(text, hint)


def no_predictor(rendered: Rendered) -> Iterator[Found]:
    """KServe refuses a component that serves nothing [validation]."""
    for component in components(rendered):
        spec = component.spec
        fields = (*component.models, spec.at("containers"), spec.at("art"))
        if not any(field.value not in (None, []) for field in fields):
            hint = f"add a container named `{MAIN_CONTAINER}`"
            yield spec.refused(f"`{spec.path[-1]}` runs nothing", hint)


def named_model(rendered: Rendered) -> Iterator[Found]:
    """The model's container has a name already; another is refused [validation]."""
    for component in components(rendered):
        for model in component.models:
            if model.at("name").text:
                text = f"`name` of the model's container is `{model.at('name').text}`"
                yield model.at("name").refused(text, "remove it: KServe names the container")


def unknown_protocol(rendered: Rendered) -> Iterator[Found]:
    """No runtime is found for a protocol that KServe does not know [controller]."""
    given = [
        model.at("protocolVersion")
        for component in components(rendered)
        for model in component.models
    ]
    for runtime in runtimes(rendered):
        given += runtime.at("spec", "protocolVersions").elements
    for protocol in given:
        if protocol.text and protocol.text not in PROTOCOLS:
            text = f"unknown protocolVersion `{protocol.text}`"
            yield protocol.refused(text, did_you_mean(protocol.text, PROTOCOLS))


def unknown_storage_scheme(rendered: Rendered) -> Iterator[Found]:
    """KServe downloads from the storages that it knows, by the first letters [controller].

    A ClusterStorageContainer may teach it more.
    """
    for component in components(rendered):
        uris = [model.at("storageUri") for model in component.models]
        uris += [uri.at("uri") for uri in component.spec.at("storageUris").elements]
        for uri in uris:
            scheme, separator, _ = uri.text.partition("://")
            if AZURE in uri.text:
                if not re.match(rf"https://.+?\.{re.escape(AZURE)}/.", uri.text):
                    text = f"storageUri `{uri.text}` is no address of Azure's"
                    yield uri.refused(text, f"write `https://<account>.{AZURE}/<container>/<path>`")
            elif separator and scheme not in SCHEMES and not _is_fetched(uri, rendered):
                text = f"storageUri `{uri.text}` has the unknown scheme `{scheme}`"
                severity: Severity = "error" if rendered.whole else "warning"
                yield uri.refused(text, f"use one of {', '.join(SCHEMES)}", severity)


def storage_given_twice(rendered: Rendered) -> Iterator[Found]:
    """KServe takes storageUri or storageUris, not both [validation]."""
    for component in components(rendered):
        many = component.spec.at("storageUris")
        for one in (model.at("storageUri") for model in component.models):
            if many.given and one.given:
                text = "both `storageUri` and `storageUris` are given"
                yield many.refused(text, "keep one", related=(one, "`storageUri` stands here"))


def no_main_container(rendered: Rendered) -> Iterator[Found]:
    """KServe finds the container that serves by its name, a runtime's too [controller]."""
    hint = f"name the container that serves `{MAIN_CONTAINER}`"
    for component in components(rendered):
        containers = component.spec.at("containers").elements
        named = any(map(_is_main, containers))
        if not containers or component.models or _renames(component):
            continue
        if not named:
            text = f"no container is named `{MAIN_CONTAINER}`"
            yield component.spec.at("containers").refused(text, hint)
        elif not component.is_predictor and not _is_main(containers[0]):
            text = f"`{MAIN_CONTAINER}` is not the first container"  # KServe renames the first
            yield component.spec.at("containers").refused(text, "move it to the front")
    for runtime in runtimes(rendered):
        is_of_model_mesh = runtime.at("spec", "multiModel").value is True  # it runs them by itself
        if main_container(runtime) is None and not is_of_model_mesh:
            text = f"no container is named `{MAIN_CONTAINER}`"
            yield runtime.at("spec", "containers").refused(text, hint)


def container_renamed(rendered: Rendered) -> Iterator[Found]:
    """KServe renames a lone container, and a transformer's first; Argo CD sees drift for ever.

    Source: predictor_custom.go and transformer_custom.go in pkg/apis/serving/v1beta1, Default.
    """
    for component in components(rendered):
        if not component.models and _renames(component):
            name = component.spec.at("containers").elements[0].at("name")
            text = f"KServe renames container `{name.text}` to `{MAIN_CONTAINER}`"
            yield name.warned(text, f"write `{MAIN_CONTAINER}`")


def storage_in_collocated_transformer(rendered: Rendered) -> Iterator[Found]:
    """A transformer beside its predictor reads no model of its own [validation]."""
    for component in components(rendered):
        for container in component.spec.at("containers").elements:
            for variable in container.at("env").elements:
                collocated = container.at("name").text == COLLOCATED_TRANSFORMER
                if collocated and variable.at("name").text == "STORAGE_URI":
                    text = f"STORAGE_URI in `{COLLOCATED_TRANSFORMER}`"
                    yield variable.at("name").refused(text, "give it to the predictor")


def blocked_variable(rendered: Rendered) -> Iterator[Found]:
    """Since v0.18 KServe refuses PYTHONPATH: pkg/validation/env_policy.go."""
    containers = [c for component in components(rendered) for c in component.containers]
    for runtime in runtimes(rendered):
        for spec in (runtime.at("spec"), runtime.at("spec", "workerSpec")):
            containers += spec.at("containers").elements
    for component in components(rendered):
        for kind in ("containers", "initContainers"):
            containers += component.spec.at("workerSpec", kind).elements
        containers.append(component.spec.at("art"))  # the explainer that has fields of its own
    for container in containers:
        for variable in container.at("env").elements:
            if variable.at("name").text == "PYTHONPATH":
                text = "PYTHONPATH is not allowed in a container of KServe"
                yield variable.at("name").refused(text, "set it in the image")


def path_of_storage_uris(rendered: Rendered) -> Iterator[Found]:
    """Each of several storages is mounted below the root, and not by way of `..` [validation]."""
    for component in components(rendered):
        for path in (e.at("mountPath") for e in component.spec.at("storageUris").elements):
            if path.text == "/" or ".." in path.text:
                yield path.refused(f"mountPath `{path.text}`", "write a path such as /mnt/models")


def storage_uris_apart(rendered: Rendered) -> Iterator[Found]:
    """Several downloads share one folder, which must not be the root [validation]."""
    for component in components(rendered):
        paths = [
            entry.at("mountPath").text or MODELS
            for entry in component.spec.at("storageUris").elements
            if not entry.at("uri").text.startswith("pvc://")
        ]
        absolute = all(path.startswith("/") for path in paths)
        if len(paths) > 1 and absolute and posixpath.commonpath(paths) == "/":
            told = " and ".join(f"`{path}`" for path in dict.fromkeys(paths))
            text = f"mountPaths {told} have no folder in common"
            yield component.spec.at("storageUris").refused(text, "put them below one folder")


def unknown_protocol_variable(rendered: Rendered) -> Iterator[Found]:
    """A predictor of one's own says by PROTOCOL that it speaks v1 or v2: predictor_custom.go."""
    for component in components(rendered):
        if not component.is_predictor or component.models:
            continue
        for container in component.spec.at("containers").elements[:1]:
            for variable in container.at("env").elements:
                value = variable.at("value")
                wrong = value.text and value.text not in ("v1", "v2")
                if variable.at("name").text == "PROTOCOL" and wrong:
                    yield value.refused(f"PROTOCOL `{value.text}` of a predictor", "write v1 or v2")


def logger_without_mode(rendered: Rendered) -> Iterator[Found]:
    """A logger must say what it logs: KServe refuses one without a mode [component]."""
    for component in components(rendered):
        logger = component.spec.at("logger")
        if logger.given and not logger.at("mode").text:
            yield logger.refused("`logger` without `mode`", "add `mode: all`, request or response")


def logger_storage_incomplete(rendered: Rendered) -> Iterator[Found]:
    """A logger that writes to a storage needs its path, parameters and key [component]."""
    for component in components(rendered):
        storage = component.spec.at("logger", "storage")
        missing = [name for name in ("path", "parameters", "key") if not storage.at(name).given]
        if storage.given and missing:
            told = " and ".join(f"`{name}`" for name in missing)
            yield storage.refused(f"storage of the logger without {told}", f"add {told}")


def name_too_long_for_services(rendered: Rendered) -> Iterator[Found]:
    """KServe makes a Service of each component, `<name>-predictor`, of at most 63 characters."""
    for service in inference_services(rendered):
        if annotation(service, "deploymentMode").text == "ModelMesh":
            continue  # pods and Services are those of its runtimes
        name = service.at("metadata", "name")
        parts = [part for part in ("transformer", "explainer") if service.at("spec", part).given]
        made = max((f"{name.text}-{part}" for part in (*parts, "predictor")), key=len)
        if len(name.text) <= LONGEST_SERVICE_NAME < len(made):
            text = f"the Service `{made}` has {len(made)} characters, the most is 63"
            yield name.refused(text, f"shorten it to {len(name.text) - len(made) + 63} characters")


def framework_field_rewritten(rendered: Rendered) -> Iterator[Found]:
    """The webhook turns `predictor.<framework>` into `predictor.model`, and Argo CD sees drift.

    Source: pkg/apis/serving/v1beta1/inference_service_defaults.go, and kserve issue 2232.
    """
    for component in components(rendered):
        mesh = annotation(component.service, "deploymentMode").text == "ModelMesh"
        for model in component.models:
            name, alone = str(model.path[-1]), len(component.models) == 1
            if name in FRAMEWORKS[1:] and alone and not mesh:
                text = f"KServe rewrites `{name}` to `model`, which differs from this for ever"
                protocol = ", protocolVersion: v2" if name in V2_BY_DEFAULT else ""
                hint = f"write `model` with modelFormat: {{name: {name}}}{protocol}"
                yield model.warned(text, hint)


def confidential_without_storage(rendered: Rendered) -> Iterator[Found]:
    """An encrypted model is read from somewhere [validation]."""
    for component in components(rendered):
        for model in component.models:
            secret, uri = model.at("confidential"), model.at("storageUri")
            key = secret.at("resourceId")
            if secret.at("enabled").value is not True:
                continue
            if not uri.text:
                yield secret.refused("`confidential` without `storageUri`", "add `storageUri`")
            elif uri.text.startswith("oci://"):
                text = "`confidential` has no effect on an image: its runtime decrypts it"
                yield secret.warned(text, related=(uri, "the model is an image"))
            if key.text and not re.fullmatch(RESOURCE_ID, key.text):
                text = f"resourceId `{key.text}` is no resource of a broker"
                yield key.refused(text, "write kbs:///<repo>/<type>/<tag>")


def grpc_port_unnamed(rendered: Rendered) -> Iterator[Found]:
    """In Standard mode the name of the port tells gRPC from HTTP to the Service and what is ahead.

    Source: pkg/controller/v1beta1/inferenceservice/reconcilers/service, appProtocol of a port
    whose name holds `grpc` or `h2c`.
    """
    for component in components(rendered):
        runtime = component.runtime
        for model in component.models:
            base = main_container(runtime) if runtime else None
            ports = model.at("ports") if model.at("ports").elements else None
            ports = ports or (base.at("ports") if base else model.at("ports"))
            names = [port.at("name").text for port in ports.elements]
            named = any("grpc" in name or "h2c" in name for name in names)
            by_grpc = model.at("protocolVersion").text.startswith("grpc")
            if component.mode == "Standard" and by_grpc and names and not named:
                text = "no port is named for gRPC"
                related = model.at("protocolVersion"), "the model speaks gRPC"
                yield ports.warned(text, "name it `grpc` or `h2c`", related=related)


def _is_fetched(uri: Node, rendered: Rendered) -> bool:
    """Whether a storage container in sight knows an address."""
    for container in rendered.of_group(KSERVE, "ClusterStorageContainer"):
        for known in container.at("spec", "supportedUriFormats").elements:
            if known.at("regex").given or uri.text.startswith(known.at("prefix").text or " "):
                return True
    return False


def _renames(component: Component) -> bool:
    """Whether the webhook gives the first container the name that it wants."""
    containers = component.spec.at("containers").elements
    if not containers or any(map(_is_main, containers)) or not containers[0].at("name").text:
        return False
    return len(containers) == 1 or not component.is_predictor


def _is_main(container: Node) -> bool:
    return container.at("name").text == MAIN_CONTAINER


RULES = (
    two_predictors,
    no_predictor,
    named_model,
    unknown_protocol,
    unknown_storage_scheme,
    storage_given_twice,
    no_main_container,
    container_renamed,
    storage_in_collocated_transformer,
    blocked_variable,
    path_of_storage_uris,
    storage_uris_apart,
    unknown_protocol_variable,
    logger_without_mode,
    logger_storage_incomplete,
    name_too_long_for_services,
    framework_field_rewritten,
    confidential_without_storage,
    grpc_port_unnamed,
)

ONLY_WITH: Mapping[Rule, tuple[str, ...]] = {
    storage_given_twice: ("storageUris",),
    storage_in_collocated_transformer: (COLLOCATED_TRANSFORMER,),
    blocked_variable: ("PYTHONPATH",),
    path_of_storage_uris: ("storageUris",),
    storage_uris_apart: ("storageUris",),
    unknown_protocol_variable: ("PROTOCOL",),
    logger_without_mode: ("logger",),
    logger_storage_incomplete: ("logger",),
    framework_field_rewritten: FRAMEWORKS[1:],
    confidential_without_storage: ("confidential",),
}
"""Rules that say nothing where none of these words stands, as a key or as a text."""
