"""Render and prove everything that serves a PyTorch model on Kubernetes."""

__version__ = "0.1.0"
