"""The ClusterServingRuntimes that KServe ships: config/runtimes of kserve v0.20.0."""

from collections.abc import Mapping

from msgspec import Struct


class Stock(Struct, frozen=True):
    """Formats with their versions, and the protocols spoken; `automatic` formats find it alone."""

    formats: Mapping[str, tuple[str, ...]]
    protocols: tuple[str, ...]
    automatic: bool = True
    has_volumes: bool = False


V1_V2 = ("v1", "v2")

STOCK: Mapping[str, Stock] = {
    "kserve-autogluonserver": Stock({"autogluon": ("1",)}, V1_V2),
    "kserve-huggingfaceserver": Stock({"huggingface": ("1",)}, V1_V2, has_volumes=True),
    "kserve-huggingfaceserver-multinode": Stock({"huggingface": ("1",)}, V1_V2, has_volumes=True),
    "kserve-lgbserver": Stock({"lightgbm": ("4",)}, V1_V2),
    "kserve-mlserver": Stock(
        {
            "sklearn": ("0", "1"),
            "xgboost": ("1", "2"),
            "lightgbm": ("3", "4"),
            "mlflow": ("1", "2"),
        },
        ("v2",),
    ),
    "kserve-openvino": Stock(
        {"openvino": ("10",), "onnx": ("1",), "tensorflow": ("1",), "huggingface": ()},
        ("v1", "v2", "grpc-v2"),
    ),
    "kserve-paddleserver": Stock({"paddle": ("2",)}, V1_V2),
    "kserve-pmmlserver": Stock({"pmml": ("3", "4")}, V1_V2),
    "kserve-predictiveserver": Stock(
        {"sklearn": ("1",), "xgboost": ("2",), "lightgbm": ("4",)}, V1_V2, automatic=False
    ),
    "kserve-sklearnserver": Stock({"sklearn": ("1",)}, V1_V2),
    "kserve-tensorflow-serving": Stock({"tensorflow": ("1", "2")}, ("v1", "grpc-v1")),
    "kserve-torchserve": Stock({"pytorch": ("1",)}, ("v1", "v2", "grpc-v2")),
    "kserve-tritonserver": Stock(
        {
            "tensorrt": ("8",),
            "tensorflow": ("1", "2"),
            "onnx": ("1",),
            "pytorch": ("1",),  # the one format that does not find it by itself
            "triton": ("2",),
        },
        ("v2", "grpc-v2"),
    ),
    "kserve-vllmserver": Stock({"vLLM": ("1",)}, (), has_volumes=True),
    "kserve-xgbserver": Stock({"xgboost": ("2",)}, V1_V2),
}
WITHOUT_VOLUMES = tuple(name for name, runtime in STOCK.items() if not runtime.has_volumes)
WITHOUT_PORTS = tuple(STOCK)  # none of them names a port
NOT_AUTOMATIC = {("kserve-tritonserver", "pytorch")}
