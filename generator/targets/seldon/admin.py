"""What an administrator does once: the secret of the storage, the registration of a server."""

from collections.abc import Iterator

from generator.artefact import Artefact, artefact
from generator.project import Project
from generator.storage import scheme
from generator.targets.seldon.options import Options
from generator.targets.seldon.service import Service
from generator.targets.seldon.storage import RCLONE_SCHEMES, prefix
from generator.workload import pinned

REGISTER = "admin/register-torch-server.py"
SECRET = "admin/storage-secret.sh"  # noqa: S105  a path


def admin_files(project: Project, options: Options, service: Service) -> Iterator[Artefact]:
    """admin/: scripts that keep no value of a secret, and change one key of a configmap."""
    if service.model_server == "TORCH_SERVER" and service.component("model").image:
        image = str(service.component("model").image)
        name = image.rpartition(":")[0]
        # The operator joins the two by a colon, whatever a version holds: the digest too.
        version = pinned(project, image).removeprefix(f"{name}:")
        values: dict[str, object] = {"image": name, "tag": version}
        yield artefact(REGISTER, f"seldon/{REGISTER}.j2", values, executable=True)
    storage = project.storage
    kind = scheme(storage.bundle_uri) if storage else ""
    if storage and storage.secret and kind in RCLONE_SCHEMES:
        values = {
            "kind": kind,
            "secret": storage.secret,
            "namespace": service.namespace,
            # rclone reads the settings of a remote from variables with its name in capitals.
            "prefix": prefix(options.rclone_remote or kind),
        }
        yield artefact(SECRET, f"seldon/{SECRET}.j2", values, executable=True)
