"""Programs of AOTInductor for Triton's PyTorch backend, written in Python.

`triton_pytorch_backend.py` imports a copy of this file, which stands beside it in the server's
backend directory. How tensors are named, and what is refused in which words, follows the original:
https://github.com/triton-inference-server/pytorch_backend/tree/main/src/pt2
It does not do: dictionaries, nested tuples, GPUs.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import torch


class AotiProgram:
    """A program of a .pt2 file, and the names that its call specification gives to its tensors."""

    def __init__(self, path: Path) -> None:
        self.loader = torch._C._aoti.AOTIModelPackageLoader(str(path), "model", False, 1, -1)
        taken, returned = (json.loads(text)[1] for text in self.loader.get_call_spec())
        arguments = taken["children_spec"][0]["children_spec"]
        self.inputs = [f"ARGS[{index}]" for index in range(len(arguments))]
        results = returned["children_spec"]
        self.outputs = [f"RESULT[{index}]" for index in range(len(results))] or ["RESULT"]

    def __call__(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The outputs in the order of the call specification."""
        return tuple(self.loader.run([value.contiguous() for value in inputs]))


def places(names: Sequence[str], known: Sequence[str], kind: str) -> list[int]:
    """Find each name's position: that of a name of the program, or of INPUT__0 and OUTPUT__0.

    `kind` is Input or Output. Raises ValueError for a name that is neither.
    """
    positions = {name: index for index, name in enumerate(known)}
    positions |= {f"{kind.upper()}__{index}": index for index in range(len(known))}
    for name in names:
        if name not in positions:
            raise ValueError(f'{kind} "{name}" is not found in model {kind.lower()} map')
    return [positions[name] for name in names]
