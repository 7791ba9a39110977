"""`gen diff` points at an Application that applies elsewhere, or under other limits."""

import pytest
from test_changes_attention import found
from test_changes_words import compared, edited

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: one, namespace: argocd}
spec:
  project: serving
  source: {repoURL: "https://github.com/acme/serving.git", targetRevision: main, path: a/manifests}
  destination: {server: "https://kubernetes.default.svc", namespace: models}
"""
SET = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: one, namespace: argocd}
spec:
  template:
    spec:
      project: serving
      sources:
        - {repoURL: "https://github.com/acme/serving.git", path: a/manifests}
        - {repoURL: "https://github.com/acme/serving.git", path: a/perf}
      destination: {server: "{{ .server }}", namespace: models}
"""
HYDRATED = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: one, namespace: argocd}
spec:
  project: serving
  sourceHydrator:
    drySource: {repoURL: "https://github.com/acme/serving.git", targetRevision: main, path: specs}
    syncSource: {targetBranch: served, path: hydrated/one}
  destination: {name: east, namespace: models}
"""
SYNCED = APPLICATION + "  syncPolicy: {automated: {prune: false, selfHeal: false}}\n"
REVISION, SYNC = "argo-cd-revision-changed", "argo-cd-sync-widened"
PROJECT, DESTINATION, REPOSITORY = (
    f"argo-cd-{what}-changed" for what in ("project", "destination", "repository")
)


@pytest.mark.parametrize(
    ("whole", "old", "new", "rule", "message"),
    [
        (APPLICATION, "serving\n", "default\n", PROJECT, "project serving -> default"),
        (SET, "serving\n", "default\n", PROJECT, "project serving -> default"),
        (APPLICATION, "models", "kube-system", DESTINATION, "namespace models -> kube-system"),
        (SET, "models", "other", DESTINATION, "namespace models -> other"),
        (HYDRATED, "east", "west", DESTINATION, "name east -> west"),
        (APPLICATION, "kubernetes.default.svc", "a:6443", DESTINATION, "-> https://a:6443"),
        (APPLICATION, "acme/", "evil/", REPOSITORY, "-> https://github.com/evil/serving.git"),
        (SET, 'acme/serving.git", path: a/perf', 'evil/a.git", path: a/perf', REPOSITORY, "evil"),
        (HYDRATED, "acme/", "evil/", REPOSITORY, "-> https://github.com/evil/serving.git"),
        (APPLICATION, "main", "v2", REVISION, "revision main -> v2 of https://github.com/acme"),
        (HYDRATED, "main", "v2", REVISION, "revision main -> v2 of https://github.com/acme"),
        (SYNCED, "prune: false", "prune: true", SYNC, "deletes by itself"),
        (SYNCED, "selfHeal: false", "selfHeal: true", SYNC, "undoes changes in the cluster"),
        (APPLICATION, "  project", "  syncPolicy: {automated: {}}\n  project", SYNC, "syncs by"),
    ],
)
def test_needs_attention(whole: str, old: str, new: str, rule: str, message: str) -> None:
    findings = found(compared({"a.yaml": whole}, {"a.yaml": edited(whole, old, new)}))

    assert message in findings.get(rule, f"only {findings}")


@pytest.mark.parametrize(("old", "new"), [("a/manifests", "b/manifests"), ("path: a", "path: ./a")])
def test_needs_none(old: str, new: str) -> None:
    sides = {"a.yaml": APPLICATION}, {"a.yaml": edited(APPLICATION, old, new)}

    assert found(compared(*sides)) == {}
