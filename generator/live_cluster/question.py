"""A question to the cluster, and what comes of it when the cluster does not say."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from generator.live_cluster.connection import Connection, Unanswered
from generator.live_cluster.discovery import Discovery, NotServed
from generator.live_cluster.findings import Finding, Verdict
from generator.live_cluster.parts import Json
from generator.live_cluster.refusal import Refused
from generator.live_cluster.rendered import Rendered


@dataclass(frozen=True)
class Said:
    """The answer to a question."""

    verdict: Verdict
    message: str
    hint: str = ""
    place: str = ""


class Amiss(Exception):
    """What the cluster holds is broken; says so."""


@dataclass(frozen=True)
class Question:
    """Something to find out; `answer` may raise Refused, Unanswered, NotServed and Amiss."""

    check: str
    subject: str
    answer: Callable[[], Said]
    place: str = ""


@dataclass
class Asked:
    """A cluster and the manifests that are to go there; each object is asked for once.

    `kserve` and `seldon` are the namespaces of the two control planes.
    """

    connection: Connection
    manifests: Sequence[Rendered]
    kserve: str = "kserve"
    seldon: str = "seldon-system"
    knative: str = "knative-serving"
    manager: str = "serving-generator"
    discovery: Discovery = field(init=False)
    _seen: dict[str, Json | Refused | Unanswered | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.discovery = Discovery(self.connection)

    @cached_property
    def tried(self) -> list[Rendered]:
        """The manifests that go to this cluster: no Applications where Argo CD is in another."""
        return [one for one in self.manifests if not (one.is_of_argo and self._lacks(one))]

    def _lacks(self, one: Rendered) -> bool:
        try:
            return not self.discovery.serves(one.api_version, one.kind)
        except (Refused, Unanswered):
            return False

    def get(self, path: str) -> Json | None:
        """An object, None where there is none; raises Refused and Unanswered."""
        if path not in self._seen:
            self._seen[path] = self._got(path)
        found = self._seen[path]
        if isinstance(found, (Refused, Unanswered)):
            raise found
        return found

    def _got(self, path: str) -> Json | Refused | Unanswered | None:
        try:
            return self.connection.get(path).body
        except Refused as refused:
            return None if refused.is_absent else refused
        except Unanswered as unanswered:
            return unanswered

    def find(self, api_version: str, kind: str, namespace: str, name: str) -> Json | None:
        """An object by its kind, None where there is none; raises NotServed as well."""
        return self.get(self.discovery.resource(api_version, kind).path(namespace, name))


def answered(question: Question) -> Finding:
    """What a question has brought; a cluster that does not say makes it `unknown`."""
    try:
        said = question.answer()
    except NotServed as absent:
        said = Said("unknown", str(absent))
    except Amiss as broken:
        said = Said("failed", str(broken))
    except Refused as refused:
        hint = (
            "docs/live-cluster.md lists the rights that this needs" if refused.is_forbidden else ""
        )
        said = Said("unknown", refused.message, hint)
    except Unanswered as unanswered:
        said = Said("unknown", str(unanswered))
    told = said.message, said.hint, said.place or question.place
    return Finding(question.check, question.subject, said.verdict, *told)


def missing(what: str, where: str, hint: str = "") -> Said:
    return Said("failed", f"there is no {what} in {where}", hint)
