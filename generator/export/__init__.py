"""Export a project's model and lay out the bundle that its server loads; needs torch."""

from generator.export.bundle import export_bundle

__all__ = ["export_bundle"]
