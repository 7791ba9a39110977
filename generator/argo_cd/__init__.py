"""What Argo CD applies of a project: the Application, and the order of what it applies.

Nothing here has an effect on a project whose spec has no `gitops`.
"""

FOLDER = "argo-cd"
MANIFESTS = "manifests"
LOAD_TEST = "perf"
"""The folders of a target in which lie Applications, what they apply, and the load test."""
