"""Ask detection over TorchServe's gRPC service; a file is sent as it is.

python3 grpc_client.py --address host:port [--authority name] file ...

It needs grpcio and grpcio-tools, and inference.proto beside it.
"""

import argparse
import json
import sys
from pathlib import Path

try:
    import grpc

    messages, services = grpc.protos_and_services("inference.proto")
except (ImportError, NotImplementedError):
    sys.exit("grpc_client.py needs grpcio and grpcio-tools: pip install grpcio grpcio-tools")

MODEL = "detection"
UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


def ask(channel: grpc.Channel, body: bytes) -> bytes:
    """Send a body and give that of the answer."""
    request = messages.PredictionsRequest(model_name=MODEL, input={"data": body})
    stub = services.InferenceAPIsServiceStub(channel)
    answer: bytes = stub.Predictions(request, timeout=60).prediction
    return answer


def told(answer: bytes) -> str:
    """The answer as text; ends the program where it tells what is wrong with the request."""
    text = answer.decode(errors="replace")
    try:
        body = json.loads(text)
    except ValueError:
        return text
    if isinstance(body, dict) and "error" in body:
        sys.exit(str(body["error"]))
    return text


def main() -> None:
    """Print the answer to each file."""
    parser = argparse.ArgumentParser(description="Ask the model over gRPC.")
    parser.add_argument("--address", required=True, help="host:port of the service")
    parser.add_argument("--authority", help="name of the service, where an ingress routes by it")
    parser.add_argument("files", nargs="+", type=Path)
    args = parser.parse_args()
    options = [("grpc.default_authority", args.authority)] if args.authority else []
    try:
        bodies = [file.read_bytes() for file in args.files]
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}")
    try:
        with grpc.insecure_channel(args.address, UNLIMITED + options) as channel:
            for body in bodies:
                print(told(ask(channel, body)))
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")


if __name__ == "__main__":
    main()
