"""What the cluster of a project runs."""

from generator import kinds
from generator.kinds import Cluster
from generator.project import Project


def cluster_of(project: Project) -> Cluster:
    """The releases and the folder of schemas that a project names; the rules have vouched for them.

    Raises `kinds.UnknownCluster` where no rule was asked.
    """
    named = project.kubernetes
    words = (f"{product}={version}" for product, version in named.releases.items())
    return kinds.cluster(words, project.folder / named.crds if named.crds else None)
