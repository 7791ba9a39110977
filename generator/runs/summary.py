"""What of a spec the others of a run depend on: little, for ten thousand are held."""

from collections.abc import Iterator

from msgspec import Struct

from generator.document import Document
from generator.selection import EVERYTHING, Selection


class Application(Struct, frozen=True):
    """What a spec has Argo CD make; `told` is what it is made for."""

    namespace: str
    kind: str
    name: str
    told: str


class Summary(Struct, frozen=True):
    """`name` is None where it is no text; `environments` is one None where a spec has none.

    `targets` are those that the spec names anywhere, known or not.
    """

    name: str | None
    environments: tuple[str | None, ...]
    targets: tuple[str, ...]
    applications: tuple[Application, ...]

    def concerns(self, selection: Selection) -> bool:
        """Whether a selected target may stand in a selected environment; broken specs always."""
        if not any(map(selection.has_environment, self.environments)):
            return False
        return not self.targets or any(map(selection.has_target, self.targets))


def summary_of(document: Document) -> Summary:
    """The summary of a spec that has been loaded, which may be wrong in any way."""
    from generator.views import named_targets  # as below: not for specs that are recalled

    name = document.data.get("name")
    return Summary(
        name if isinstance(name, str) else None,
        tuple(environments_of(document)),
        tuple(named_targets(document)),
        tuple(_applications(document)),
    )


def environments_of(document: Document) -> list[str | None]:
    """The names of a spec's environments; one None where it has none."""
    environments = document.data.get("environments")
    return list(environments) if isinstance(environments, dict) and environments else [None]


def _applications(document: Document) -> Iterator[Application]:
    from generator.views import framed, views

    name = document.data.get("name")
    if not isinstance(name, str) or not _has_gitops(document) or any(framed(document)):
        return
    for view in views(document, EVERYTHING):
        gitops = view.document.data.get("gitops")
        argo_cd = gitops.get("argo_cd") if isinstance(gitops, dict) else None
        if isinstance(argo_cd, dict) and view.target:
            kind = "ApplicationSet" if argo_cd.get("clusters") else "Application"
            parts = (name, view.environment, view.target.name)
            made = "-".join(filter(None, parts))
            told = view.target.name + (f" in {view.environment}" if view.environment else "")
            yield Application(str(argo_cd.get("namespace", "argocd")), kind, made, told)


def _has_gitops(document: Document) -> bool:
    """Whether any layer says something of it: without, no view does, and views are dear."""
    from generator.defaults.counting import layers

    return any("gitops" in layer for layer in layers(document.data))
