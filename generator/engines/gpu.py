"""Whether the calling interpreter's torch, which engines run, can use a GPU."""


def is_usable() -> bool:
    """Tell whether this machine has a GPU that torch can use."""
    import torch

    return bool(torch.cuda.is_available())
