"""An HTTPS server that speaks a Kubernetes API server's wire format, and notes what it is asked.

It answers discovery, reads, lists, watches, reviews and server-side applies that are dry runs, in
the forms of k8s.io/apiserver. Anything that a real server would store is refused and noted in
`writes`. Its judgement on manifests is that of schemas/kubernetes.
"""

import copy
import json
import queue
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import trustme
import yaml

from generator import kinds
from generator.problem import dotted

Object = dict[str, Any]

RESOURCES: dict[str, dict[str, tuple[str, bool]]] = {
    "v1": {
        "Namespace": ("namespaces", False),
        "Secret": ("secrets", True),
        "ConfigMap": ("configmaps", True),
        "ServiceAccount": ("serviceaccounts", True),
        "PersistentVolumeClaim": ("persistentvolumeclaims", True),
        "Pod": ("pods", True),
        "Service": ("services", True),
    },
    "apps/v1": {"Deployment": ("deployments", True)},
    "batch/v1": {"Job": ("jobs", True)},
    "autoscaling/v2": {"HorizontalPodAutoscaler": ("horizontalpodautoscalers", True)},
    "policy/v1": {"PodDisruptionBudget": ("poddisruptionbudgets", True)},
    "networking.k8s.io/v1": {"NetworkPolicy": ("networkpolicies", True)},
    "apiextensions.k8s.io/v1": {"CustomResourceDefinition": ("customresourcedefinitions", False)},
    "serving.kserve.io/v1beta1": {"InferenceService": ("inferenceservices", True)},
    "serving.kserve.io/v1alpha1": {
        "ServingRuntime": ("servingruntimes", True),
        "ClusterServingRuntime": ("clusterservingruntimes", False),
        "ClusterStorageContainer": ("clusterstoragecontainers", False),
    },
    "machinelearning.seldon.io/v1": {"SeldonDeployment": ("seldondeployments", True)},
    "serving.knative.dev/v1": {"Service": ("services", True)},
}
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_PATH = re.compile(
    r"/(?:api|apis)/(?P<version>v1|[^/]+/[^/]+?)(?:/namespaces/(?P<namespace>[^/]+))?"
    r"/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?"
)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Reply:
    code: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


def failure(
    code: int, reason: str, message: str, causes: list[Object] | None = None, **details: object
) -> Reply:
    """A Status object: apimachinery, pkg/api/errors."""
    held: Object = {**details, **({"causes": causes} if causes else {})}
    body = {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "details": held, "code": code,
    }  # fmt: skip
    if not reason:
        del body["reason"]
    return Reply(code, body)


def not_found(plural: str, name: str) -> Reply:
    return failure(404, "NotFound", f'{plural} "{name}" not found', name=name, kind=plural)


Fault = Callable[[Request], Reply | None]


class ApiServer:
    """A cluster of objects that tests put there."""

    def __init__(self, *, with_client_certificates: bool = False) -> None:
        self.resources = copy.deepcopy(RESOURCES)
        self.version = "v1.37.1"
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.applied: dict[tuple[str, str, str], dict[str, Object]] = {}
        self.requests: list[Request] = []
        self.writes: list[Request] = []
        self.tokens = {"good-token"}
        self.denied: set[tuple[str, str]] = set()
        self.faults: list[Fault] = []
        self.webhooks: list[Callable[[Object], str | None]] = []
        self.warnings: list[str] = []
        self.streams: list[list[Object]] = []
        self.authority = trustme.CA()
        self._events: queue.Queue[Object | None] = queue.Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("127.0.0.1", "localhost", "api.example.org").configure_cert(
            context
        )
        if with_client_certificates:
            self.authority.configure_trust(context)
            context.verify_mode = ssl.CERT_OPTIONAL
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, manifest: Object) -> Object:
        """Put an object into the cluster, as its author has written it."""
        held = copy.deepcopy(manifest)
        metadata = held.setdefault("metadata", {})
        metadata.setdefault("resourceVersion", "1")
        metadata.setdefault("uid", "3b1a")
        key = self._key(held)
        self.objects[key] = held
        return held

    def apply(self, manifest: Object, manager: str = "serving-generator") -> Object:
        """Put an object there by server-side apply, defaults filled in."""
        held = self.add(defaulted(manifest))
        held["metadata"]["managedFields"] = [{"manager": manager, "operation": "Apply"}]
        held["metadata"]["generation"] = 1
        self.applied[self._key(held)] = {manager: copy.deepcopy(manifest)}
        return held

    def install(self, definition: Object) -> None:
        self.add({"apiVersion": "apiextensions.k8s.io/v1", **definition})

    def _key(self, held: Object) -> tuple[str, str, str]:
        plural, is_namespaced = self.resources[held["apiVersion"]][held["kind"]]
        root = held["apiVersion"]
        namespace = held["metadata"].get("namespace", "") if is_namespaced else ""
        return f"{root}/{plural}", namespace, held["metadata"]["name"]

    def answer(self, request: Request, is_known: bool) -> Reply:
        """What the server says; `is_known`: a client certificate has been shown."""
        self.requests.append(request)
        for fault in self.faults:
            if reply := fault(request):
                return reply
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not is_known and token not in self.tokens:
            return failure(401, "Unauthorized", "Unauthorized")
        if request.path == "/version":
            major, minor = self.version.removeprefix("v").split(".")[:2]
            return Reply(200, {"major": major, "minor": minor, "gitVersion": self.version})
        if request.path == REVIEW and request.method == "POST":
            return self._review(request)
        if request.method == "GET" and (found := self._discovery(request.path)):
            return found
        if request.method not in ("GET", "PATCH") or (
            request.method == "PATCH" and request.query.get("dryRun") != "All"
        ):
            self.writes.append(request)
            return failure(405, "MethodNotAllowed", "this server stores nothing")
        return self._resource(request)

    def _review(self, request: Request) -> Reply:
        asked = request.body["spec"]["resourceAttributes"]
        is_denied = (asked["verb"], asked["resource"]) in self.denied
        return Reply(201, {**request.body, "status": {"allowed": not is_denied}})

    def _discovery(self, path: str) -> Reply | None:
        if path == "/api":
            return Reply(200, {"kind": "APIVersions", "versions": ["v1"]})
        groups: dict[str, list[str]] = {}
        for version in self.resources:
            if "/" in version:
                groups.setdefault(version.split("/")[0], []).append(version)
        if path == "/apis":
            listed = [self._group(name, versions) for name, versions in groups.items()]
            return Reply(200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed})
        name = path.removeprefix("/apis/").removeprefix("/api/")
        if name in groups:
            return Reply(
                200, {"kind": "APIGroup", "apiVersion": "v1", **self._group(name, groups[name])}
            )
        if name in self.resources:
            verbs = ["create", "get", "list", "patch", "watch"]
            held = [
                {
                    "name": plural,
                    "singularName": kind.lower(),
                    "namespaced": n,
                    "kind": kind,
                    "verbs": verbs,
                }
                for kind, (plural, n) in self.resources[name].items()
            ]
            body = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name}
            return Reply(200, {**body, "resources": held})
        return None

    def _group(self, name: str, versions: list[str]) -> Object:
        listed = [{"groupVersion": v, "version": v.split("/")[1]} for v in versions]
        return {"name": name, "versions": listed, "preferredVersion": listed[0]}

    def _resource(self, request: Request) -> Reply:
        found = _PATH.fullmatch(request.path)
        version = found["version"] if found else ""
        plurals = {p: k for k, (p, _) in self.resources.get(version, {}).items()}
        # /api/v1/namespaces/NAME is the object, not what is in it
        if found is None and (own := re.fullmatch(r"/api/v1/namespaces/([^/]+)", request.path)):
            return self._one("v1/namespaces", "", own[1], "namespaces")
        if not found or found["plural"] not in plurals:
            return Reply(
                404, b"404 page not found\n", {"Content-Type": "text/plain; charset=utf-8"}
            )
        plural, kind = found["plural"], plurals[found["plural"]]
        group = version.partition("/")[0] if "/" in version else ""
        namespace, name = found["namespace"] or "", found["name"] or ""
        verb = {"GET": "get" if name else "list", "PATCH": "patch"}[request.method]
        if (verb, plural) in self.denied:
            return forbidden(verb, plural, group, namespace, name)
        collection = f"{version}/{plural}"
        if request.method == "PATCH":
            return self._apply(request, collection, namespace, name, (version, kind), plural)
        if not name:
            return self._list(request, collection, namespace, version, kind)
        full = f"{plural}.{group}" if group else plural
        return self._one(collection, namespace, name, full)

    def _one(self, collection: str, namespace: str, name: str, plural: str) -> Reply:
        held = self.objects.get((collection, namespace, name))
        return Reply(200, held) if held else not_found(plural, name)

    def _list(
        self, request: Request, collection: str, namespace: str, version: str, kind: str
    ) -> Reply:
        if request.query.get("watch") == "true":
            return Reply(200, self._watched())
        labels = dict(
            part.split("=", 1) for part in request.query.get("labelSelector", "").split(",") if part
        )
        items = [
            held
            for (c, n, _), held in self.objects.items()
            if (c, n) == (collection, namespace)
            and labels.items() <= held["metadata"].get("labels", {}).items()
        ]
        body = {"kind": f"{kind}List", "apiVersion": version}
        return Reply(200, {**body, "metadata": {"resourceVersion": "7"}, "items": items})

    def _watched(self) -> Iterator[Object]:
        for event in self.streams.pop(0) if self.streams else ():
            yield event
            if event["type"] == "ERROR":
                return
        while True:
            try:
                event = self._events.get(timeout=30)
            except queue.Empty:
                return
            if event is None:
                return
            yield event

    def send(self, event: Object | None) -> None:
        """An event for whoever watches; None ends a watch."""
        self._events.put(event)

    def _apply(
        self,
        request: Request,
        collection: str,
        namespace: str,
        name: str,
        kind: tuple[str, str],
        plural: str,
    ) -> Reply:
        """Server-side apply as a dry run; the order of things is the real server's."""
        assert request.headers["content-type"] == "application/apply-patch+yaml"
        manifest, manager = request.body, request.query["fieldManager"]
        if namespace and ("v1/namespaces", "", namespace) not in self.objects:
            return not_found("namespaces", namespace)
        if refused := self._judged(manifest, namespace, name, kind):
            return refused
        key = collection, namespace, name
        live = self.objects.get(key)
        others = {m: held for m, held in self.applied.get(key, {}).items() if m != manager}
        is_forced = request.query.get("force") == "true"
        if not is_forced and (conflicts := list(_conflicts(live or {}, manifest, others, kind[0]))):
            return failure(409, "Conflict", _told(conflicts), conflicts, name=name, kind=plural)
        for webhook in self.webhooks:
            if said := webhook(manifest):
                return failure(400, "BadRequest", said)
        before = copy.deepcopy(live) if live else {}
        after = _merged(
            _without(before, self.applied.get(key, {}).get(manager, {}), manifest), manifest
        )
        warned = {"Warning": ", ".join(f'299 - "{text}"' for text in self.warnings)}
        headers = warned if self.warnings else {}
        return Reply(200 if live else 201, defaulted(after), headers)

    def _judged(
        self, manifest: Object, namespace: str, name: str, kind: tuple[str, str]
    ) -> Reply | None:
        refusals = [each for each in kinds.refusals(manifest) if each.severity == "error"]
        unknown = [each for each in refusals if each.message.startswith("unknown field")]
        who = f"({namespace}/{name}; {kind[0]}, Kind={kind[1]})"
        if unknown:
            said = [f".{dotted(each.path)}: field not declared in schema" for each in unknown]
            told = said[0] if len(said) == 1 else "errors:\n  " + "\n  ".join(said)
            return failure(500, "", f"failed to create typed patch object {who}: {told}")
        if refusals:
            causes = [
                {"reason": "FieldValueInvalid", "message": e.message, "field": dotted(e.path)}
                for e in refusals
            ]
            listed = ", ".join(f"{c['field']}: {c['message']}" for c in causes)
            group = kind[0].partition("/")[0]
            message = f'{kind[1]}.{group} "{name}" is invalid: {listed}'
            return failure(422, "Invalid", message, causes, name=name, kind=kind[1])
        return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                parts = urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                content = self.rfile.read(length)
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = yaml.safe_load(content) if content else None  # JSON is YAML
                query = dict(parse_qsl(parts.query))
                request = Request(self.command, parts.path, query, headers, body)
                certificate = self.connection.getpeercert()  # type: ignore[attr-defined]
                self._reply(server.answer(request, bool(certificate)))

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _any  # noqa: N815  the base class's names

            def _reply(self, reply: Reply) -> None:
                self.send_response(reply.code)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if isinstance(reply.body, (dict, bytes)):
                    is_bytes = isinstance(reply.body, bytes)
                    content = reply.body if is_bytes else json.dumps(reply.body).encode()
                    if "Content-Type" not in reply.headers:
                        self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                    return
                self.send_header("Content-Type", "application/json")
                self.send_header("Connection", "close")
                self.end_headers()
                for event in reply.body:
                    self.wfile.write(json.dumps(event).encode() + b"\n")
                    self.wfile.flush()
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Nothing: tests read `requests`."""

        return Handler


def forbidden(verb: str, plural: str, group: str, namespace: str, name: str) -> Reply:
    full = f"{plural}.{group}" if group else plural
    inside = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
    who = f' "{name}"' if name else ""
    message = (
        f'{full}{who} is forbidden: User "ci" cannot {verb} resource "{plural}" in API group'
        f' "{group}"{inside}'
    )
    return failure(403, "Forbidden", message, name=name, kind=plural)


def defaulted(manifest: Object) -> Object:
    """The object with some of the fields that a server adds by itself."""
    held = copy.deepcopy(manifest)
    pods = held.get("spec", {}).get("template", {}).get("spec")
    if isinstance(pods, dict):
        pods.setdefault("dnsPolicy", "ClusterFirst")
        for container in pods.get("containers", ()):
            container.setdefault("terminationMessagePath", "/dev/termination-log")
    return held


def _merged(live: Any, applied: Any) -> Any:
    """As structured merge does it: maps by key, lists of named maps by name, the rest replaced."""
    if isinstance(live, dict) and isinstance(applied, dict):
        kept = {key: live[key] for key in live if key not in applied}
        return {**kept, **{key: _merged(live.get(key), held) for key, held in applied.items()}}
    if _is_named(live) and _is_named(applied):
        there = {item["name"]: item for item in live}
        here = {item["name"]: item for item in applied}
        kept = [item for name, item in there.items() if name not in here]
        return [_merged(there.get(name), item) for name, item in here.items()] + kept
    return copy.deepcopy(applied)


def _is_named(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(i, dict) and "name" in i for i in value)


def _without(live: Any, before: Any, now: Any) -> Any:
    """The live object without what its applier has given up."""
    if isinstance(live, dict) and isinstance(before, dict) and isinstance(now, dict):
        given_up = before.keys() - now.keys()
        return {
            key: _without(held, before.get(key), now.get(key))
            for key, held in live.items()
            if key not in given_up
        }
    if _is_named(live) and _is_named(before) and _is_named(now):
        then = {item["name"]: item for item in before}
        here = {item["name"]: item for item in now}
        return [
            _without(item, then.get(item["name"]), here.get(item["name"]))
            for item in live
            if item["name"] not in then.keys() - here.keys()
        ]
    return live


def _told(conflicts: list[Object]) -> str:
    """As managedfields words it: apimachinery, pkg/util/managedfields/internal/conflict.go."""
    if len(conflicts) == 1:
        return f"Apply failed with 1 conflict: {conflicts[0]['message']}: {conflicts[0]['field']}"
    lines = [f"Apply failed with {len(conflicts)} conflicts:"]
    for manager in sorted({each["message"] for each in conflicts}):
        lines[-1] += f" {manager.replace('conflict', 'conflicts', 1)}:"
        lines += [f"- {each['field']}" for each in conflicts if each["message"] == manager]
    return "\n".join(lines)


def _conflicts(
    live: Any, manifest: Any, others: Mapping[str, Any], version: str, at: str = ""
) -> Iterator[Object]:
    for key, held in manifest.items():
        there = live.get(key) if isinstance(live, dict) else None
        owners = {m: o.get(key) for m, o in others.items() if isinstance(o, dict) and key in o}
        if isinstance(held, dict):
            yield from _conflicts(there or {}, held, owners, version, f"{at}.{key}")
        elif held != there:
            for manager in owners:
                yield {
                    "reason": "FieldManagerConflict",
                    "message": f'conflict with "{manager}" using {version}',
                    "field": f"{at}.{key}",
                }
