"""Where Seldon's storage initializer, which is rclone, finds the bundle."""

from generator.project import Project
from generator.storage import scheme

RCLONE_SCHEMES = ("s3", "gs")


_AMBIENT = {
    "s3": (("TYPE", "s3"), ("PROVIDER", "AWS"), ("ENV_AUTH", "true")),
    "gs": (("TYPE", "google cloud storage"), ("ENV_AUTH", "true")),
}
"""What rclone has to be told of a remote that is opened by the pod's own identity.

Source: https://rclone.org/s3/ and https://rclone.org/googlecloudstorage/, option env_auth.
"""


def prefix(remote: str) -> str:
    """How the names of the variables begin that configure a remote."""
    return f"RCLONE_CONFIG_{remote.upper()}_"


def ambient(project: Project, remote: str | None) -> tuple[tuple[str, str], ...]:
    """The variables for a storage without a secret."""
    assert project.storage is not None
    kind = scheme(project.storage.bundle_uri)
    return tuple((f"{prefix(remote or kind)}{name}", value) for name, value in _AMBIENT[kind])


def model_uri(project: Project, remote: str | None) -> str | None:
    """The bundle's place in rclone's words, `remote:bucket/folder`; a claim's stays as it is."""
    if not project.storage:
        return None
    uri = project.storage.bundle_uri
    kind, path = scheme(uri), uri.partition("://")[2]
    if kind not in RCLONE_SCHEMES:
        return uri
    return f"{remote or kind}:{path}"
