"""Sends messages through a graph of Seldon nodes over gRPC, as a process.

It runs where the wrapper is, which has the messages' classes. Each line of the input has a
`message` as JSON and the `steps` that it takes: address, service, method. Each line of the output
has the `message` that comes out, or the `status` of the node that refused it with `details`.
"""

import json
import sys
from typing import Any

import grpc
from google.protobuf import json_format
from seldon_core.proto import prediction_pb2, prediction_pb2_grpc

CALL_SECONDS = 60
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]

channels: dict[str, grpc.Channel] = {}


def channel(address: str) -> grpc.Channel:
    """The channel to a node, which stays open."""
    if address not in channels:
        channels[address] = grpc.insecure_channel(address, UNLIMITED)
    return channels[address]


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """Send a message from node to node."""
    message = json_format.ParseDict(asked["message"], prediction_pb2.SeldonMessage())
    try:
        for address, service, method in asked["steps"]:
            stub = getattr(prediction_pb2_grpc, f"{service}Stub")(channel(address))
            message = getattr(stub, method)(message, timeout=CALL_SECONDS)
    except grpc.RpcError as error:
        return {"status": error.code().name, "details": error.details()}
    return {"message": json_format.MessageToDict(message)}


def main() -> None:
    """Answer line by line until the input ends."""
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)  # noqa: T201  what its caller reads


if __name__ == "__main__":
    main()
