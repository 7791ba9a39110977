"""TorchServe, under KServe or alone."""
