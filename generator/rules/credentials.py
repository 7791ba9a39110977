"""Rules about credentials in the user's own files; `secrecy` looks at the spec itself."""

from collections.abc import Iterator

from generator.credentials import in_file
from generator.document import Pointer
from generator.problem import Problem
from generator.project import Project
from generator.target import Rule


def file_holds_a_credential(project: Project) -> Iterator[Problem]:
    """Files that a spec names are copied into images, from which everybody who can pull reads them.

    A Secret of the cluster reaches the code as a variable or a mounted file instead.
    """
    for pointer, path in _files(project):
        for line, what in in_file(project.folder / path):
            message = f"line {line} of `{path}` holds {what}"
            hint = "read it from a variable, which a Secret fills"
            yield Problem(pointer, message, hint, "warning")


def _files(project: Project) -> Iterator[tuple[Pointer, str]]:
    for section in ("preprocess", "postprocess"):
        for index, step in enumerate(getattr(project.transforms, section)):
            if step.operation == "custom":
                path, _, _ = str(step.arguments.get("function", "")).partition(":")
                yield ("transforms", section, index, "custom", "function"), path
    for index, path in enumerate(project.model.files):
        yield ("model", "files", index), path


RULES: tuple[Rule, ...] = (file_holds_a_credential,)
