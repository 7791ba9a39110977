"""Ask ranker over Seldon's gRPC service with tensors of .npy files.

python3 grpc_client.py --address host:port tensor.npy ...

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

    messages, services = grpc.protos_and_services("prediction.proto")
except (ImportError, NotImplementedError) as error:
    sys.exit(f"{error}\npip install grpcio grpcio-tools numpy")

SERVICE = "ranker"
NAMESPACE = "models-staging"
DTYPE = "float32"  # of the model's input
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
    """Read an .npy file, or end the program with what is wrong with it."""
    try:
        with path.open("rb") as file:
            tensor: np.ndarray = np.lib.format.read_array(file)
        return tensor.astype(DTYPE, order="C")
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
                output = ask(channel, args.namespace, read(file))
                print(json.dumps(output.tolist()))
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")


if __name__ == "__main__":
    main()
