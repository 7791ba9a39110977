"""The command that a container runs: TorchServe itself, as the process that gets the signals."""

# As first process of a container the launcher, `torchserve --start --foreground`, ignores SIGTERM,
# so that a stop waits for its whole grace period; and it ends with 0 whatever became of Java.
_CODE = """\
import os
import subprocess
from ts import model_server

# Java takes the launcher's place: it gets the signals, and its exit status counts.
subprocess.Popen = lambda command: os.execvp(command[0], command)
model_server.start()
"""


def start_command(folder: str) -> list[str]:
    """Start TorchServe on the config/ and model-store/ of a folder; ends seconds after SIGTERM."""
    return [
        *("python", "-c", _CODE),
        *("--start", "--foreground"),
        *("--ts-config", f"{folder}/config/config.properties"),
        *("--model-store", f"{folder}/model-store"),
    ]
