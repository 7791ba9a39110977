"""The eager models behind a deployment's doors, and their golden requests."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from generator.diagnostics import CannotRun
from generator.export.module import load_module
from generator.live import Kind
from generator.project import Project
from generator.verify.golden import (
    Golden,
    golden_pictures,
    golden_requests,
    pictures_for_anything,
)
from generator.verify.pictures import Picture
from generator.verify.reference import Reference


class Eager:
    """One project's eager model, loaded when it is first asked for; `images` as verify has it."""

    def __init__(self, project: Project, images: Path | None, *, random_weights: bool) -> None:
        self._project = project
        self._images = images
        self._random_weights = random_weights
        self._golden: dict[Kind, Sequence[Golden]] = {}

    def golden(self, kind: Kind) -> Sequence[Golden]:
        """The samples of a kind of door; raises CannotRun where preprocess takes none of them."""
        if kind not in self._golden:
            found = self._made(kind)
            if all(each.expected.answer is None for each in found):
                hint = "give a folder of your own with --images"
                raise CannotRun(f"{self._project.name}: its transforms take no picture: {hint}")
            self._golden[kind] = found
        return self._golden[kind]

    def _made(self, kind: Kind) -> Sequence[Golden]:
        if kind == "image" and not self._project.transforms.preprocess:
            return pictures_for_anything(self._pictures)
        return golden_requests(self._reference, kind, self._pictures)

    @cached_property
    def _reference(self) -> Reference:
        module = load_module(self._project, random_weights=self._random_weights)
        return Reference(self._project, module)

    @cached_property
    def _pictures(self) -> Sequence[Picture]:
        return golden_pictures(self._project, self._images)
