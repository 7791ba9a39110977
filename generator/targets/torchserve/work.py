"""The one folder that TorchServe writes to, in every container."""

from generator.pods import Folder, unpacked
from generator.targets.torchserve.service import Service

HOME = "/home/model-server"  # where the image has its config/ and model-store/, and its user works
WORK = f"{HOME}/tmp"  # noqa: S108  no file of ours: a container's


def work_folder(service: Service) -> Folder:
    """Its volume: TorchServe unpacks the archives of all models there at its start."""
    return Folder(
        name="work",
        path=WORK,
        size=unpacked(model.project for model in service.models),
        why="Unpacked archives, sockets, libraries, logs: all that TorchServe writes.",
    )


def work_variables() -> dict[str, str]:
    """What makes TorchServe write there and nowhere else, the image's own working folder included.

    TEMP is also Java's folder for temporary files: model_server.py of TorchServe hands it on.
    """
    logs = f"{WORK}/logs"
    return {"TEMP": WORK, "LOG_LOCATION": logs, "METRICS_LOCATION": logs}
