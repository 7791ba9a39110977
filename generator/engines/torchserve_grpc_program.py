"""Asks TorchServe through the grpc_client.py that was rendered for a project, as a process.

`torchserve_grpc_program.py FOLDER ADDRESS`: FOLDER holds that client and its proto. Each line of
the input is a JSON list of what to send at once, base64 or a map of it by input; each line of the
output lists what came for each: its `body` in base64, or a `status` with `details`.
"""

import base64
import functools
import importlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

MOST_AT_ONCE = 32


def answer(client: Any, channel: grpc.Channel, sent: Any) -> dict[str, str]:
    """Send one request and give what came of it."""
    try:
        body = client.ask(channel, decoded(sent))
    except grpc.RpcError as error:
        return {"status": error.code().name, "details": str(error.details())}
    return {"body": base64.b64encode(body).decode()}


def decoded(sent: Any) -> Any:
    """The bytes of base64, alone or in a map."""
    if isinstance(sent, dict):
        return {name: base64.b64decode(each) for name, each in sent.items()}
    return base64.b64decode(sent)


def main() -> None:
    """Answer line by line until the input ends."""
    folder, address = sys.argv[1:]
    sys.path.insert(0, folder)  # where the client looks for its proto, too
    client = importlib.import_module("grpc_client")
    with (
        grpc.insecure_channel(address, client.UNLIMITED) as channel,
        ThreadPoolExecutor(MOST_AT_ONCE) as threads,
    ):
        for line in sys.stdin:
            answers = threads.map(functools.partial(answer, client, channel), json.loads(line))
            print(json.dumps(list(answers)), flush=True)  # noqa: T201  what its caller reads


if __name__ == "__main__":
    main()
