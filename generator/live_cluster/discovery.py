"""Which kinds a cluster serves, and under which paths."""

from dataclasses import dataclass, field

from generator.live_cluster.connection import Connection, Unanswered
from generator.live_cluster.parts import listed, part, text
from generator.live_cluster.refusal import Refused


@dataclass(frozen=True)
class Resource:
    """How a kind is called in paths."""

    api_version: str
    kind: str
    plural: str
    is_namespaced: bool

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    def path(self, namespace: str, name: str = "") -> str:
        """The path of an object, or of all of the kind in a namespace."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        inside = f"/namespaces/{namespace}" if self.is_namespaced else ""
        return f"{root}{inside}/{self.plural}" + (f"/{name}" if name else "")


class NotServed(Exception):
    """A kind that the cluster does not have under this version; says so."""


@dataclass
class Discovery:
    """Asks for one group and version at a time: a broken one does not hide the others."""

    connection: Connection
    _known: dict[str, dict[str, Resource] | Refused | Unanswered] = field(default_factory=dict)

    def resource(self, api_version: str, kind: str) -> Resource:
        """How a kind is served; raises NotServed, or Refused and Unanswered where none can tell."""
        if api_version not in self._known:
            self._known[api_version] = self._asked(api_version)
        found = self._known[api_version]
        if not isinstance(found, dict):
            raise found
        if not found:
            raise NotServed(f"the cluster does not serve {api_version}")
        if kind not in found:
            raise NotServed(f"the cluster serves {api_version}, and no {kind} in it")
        return found[kind]

    def serves(self, api_version: str, kind: str) -> bool:
        """Whether a kind is there; raises where none can tell."""
        try:
            return bool(self.resource(api_version, kind))
        except NotServed:
            return False

    def _asked(self, api_version: str) -> dict[str, Resource] | Refused | Unanswered:
        root = "/apis" if "/" in api_version else "/api"
        try:
            body = self.connection.get(f"{root}/{api_version}").body
        except Refused as refused:
            return {} if refused.is_absent else refused
        except Unanswered as unanswered:
            return unanswered
        found = {}
        for item in listed(body, "resources"):
            kind, plural = text(item, "kind"), text(item, "name")
            if kind and plural and "/" not in plural:
                is_namespaced = part(item, "namespaced") is True
                found[kind] = Resource(api_version, kind, plural, is_namespaced)
        return found
