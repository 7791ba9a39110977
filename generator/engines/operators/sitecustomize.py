"""Lets torchvision be imported in an engine where its compiled operators do not load.

Put on PYTHONPATH, this module runs in a server and in its workers. PyPI's wheel of torchvision is
built against CUDA: beside a torch for the CPU its import ends with "operator torchvision::nms does
not exist". Then, and only then, the operator that detectors call is put there in Python.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from types import ModuleType

COMPLAINT = "operator torchvision::"


class Finder(importlib.abc.MetaPathFinder):
    """Finds torchvision as everybody does, and changes how it is loaded."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The package's own spec with another loader; nothing for any other module."""
        if name != "torchvision":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = Loader(spec.loader)
        return spec


class Loader(importlib.abc.Loader):
    """Loads the package, a second time with operators of ours where it lacks its own."""

    def __init__(self, own: importlib.abc.Loader) -> None:
        self.own = own

    def exec_module(self, module: ModuleType) -> None:
        """Run the package's code."""
        try:
            self.own.exec_module(module)
        except RuntimeError as error:
            if not str(error).startswith(COMPLAINT):
                raise
            # torchvision has its roi_align in Python too, and compiles that for many seconds.
            os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")  # before torch reads it
            operators = importlib.import_module("torchvision_operators")
            self.own.exec_module(module)
            operators.announce(module)


sys.meta_path.insert(0, Finder())
