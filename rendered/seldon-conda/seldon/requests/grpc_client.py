"""Ask seldon-conda about images over Seldon's gRPC service.

python3 grpc_client.py --address host:port image.jpg ...

The address is the orchestrator's or a gateway's. Beside it stands prediction.proto.
"""

import argparse
import json
import sys
from pathlib import Path

try:
    import grpc
    import numpy as np
    from google.protobuf.json_format import MessageToDict

    from transforms import postprocess, preprocess

    messages, services = grpc.protos_and_services("prediction.proto")
except (ImportError, NotImplementedError) as error:
    sys.exit(f"{error}\npip install grpcio grpcio-tools numpy pillow")

SERVICE = "seldon-conda"
NAMESPACE = "default"
UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


def ask(channel: grpc.Channel, namespace: str, tensor: np.ndarray) -> np.ndarray:
    """Send one tensor to the model and return its output, both as raw bytes."""
    message = messages.SeldonMessage(binData=tensor.tobytes())
    message.meta.tags["dtype"].string_value = str(tensor.dtype)
    message.meta.tags["shape"].list_value.extend(tensor.shape)
    routed_by = (("seldon", SERVICE), ("namespace", namespace))
    stub = services.SeldonStub(channel)
    answer = stub.Predict(message, metadata=routed_by, timeout=60)
    tags = MessageToDict(answer.meta)["tags"]
    shape = [int(size) for size in tags["shape"]]  # all numbers of tags are floats
    return np.frombuffer(answer.binData, tags["dtype"]).reshape(shape)


def read(path: Path) -> np.ndarray:
    """Make the model's input of an image file, or end the program with what is wrong with it."""
    try:
        return preprocess(path.read_bytes())
    except OSError as error:
        sys.exit(f"{path}: {error.strerror}")
    except ValueError as error:
        sys.exit(f"{path}: {error}")


def main() -> None:
    """Print the answer for each file, one line of JSON each."""
    parser = argparse.ArgumentParser(description="Ask the model over gRPC.")
    parser.add_argument("--address", required=True, help="host:port of the orchestrator")
    parser.add_argument("--namespace", default=NAMESPACE, help="of the service, for an ingress")
    parser.add_argument("files", nargs="+", type=Path)
    args = parser.parse_args()
    try:
        with grpc.insecure_channel(args.address, UNLIMITED) as channel:
            for file in args.files:
                [output] = ask(channel, args.namespace, read(file)[np.newaxis])
                print(json.dumps(postprocess(output)))
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")


if __name__ == "__main__":
    main()
