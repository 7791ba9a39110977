"""floor.py COMPILED SPECS OUT [PROCESSES]: the least that could do what gen writes.

libyaml reads each spec of the folder (or the one spec), Jinja2 fills templates that were compiled
before, the files are written: no validation, no acceptance, no comparison with what is there, no
record. `benches.templates` makes COMPILED.
"""

import os
import sys

import yaml
from jinja2 import Environment, ModuleLoader, StrictUndefined, Template

NAME = "@name@"
"""Stands for a project's name in the paths of COMPILED."""
READ_BYTES = 1 << 20


def main(compiled: str, specs: str, out: str, processes: int = 1) -> None:
    sys.path.insert(0, compiled)
    from floor_files import FILES, FOLDERS

    environment = Environment(  # noqa: S701  no HTML is made, and nothing is quoted
        loader=ModuleLoader(compiled), undefined=StrictUndefined, keep_trailing_newline=True
    )
    files = [
        (path, environment.get_template(template), 0o755 if executable else 0o644)
        for path, template, executable in FILES
    ]
    paths = [specs]
    if os.path.isdir(specs):
        paths = [os.path.join(specs, name) for name in sorted(os.listdir(specs))]
    children = []
    for share in range(1, processes):
        if child := os.fork():
            children.append(child)
        else:
            _write(paths[share::processes], out, FOLDERS, files)
            os._exit(0)
    _write(paths[::processes], out, FOLDERS, files)
    for child in children:
        if os.waitpid(child, 0)[1]:
            sys.exit("a child has failed")


def _write(
    paths: list[str], out: str, folders: list[str], files: list[tuple[str, Template, int]]
) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        spec = yaml.load(os.read(descriptor, READ_BYTES), yaml.CSafeLoader)
        os.close(descriptor)
        name = spec["name"]
        for folder in folders:
            os.mkdir(f"{out}/{folder.replace(NAME, name)}")
        for place, template, mode in files:
            text = template.render(spec).encode()
            target = f"{out}/{place.replace(NAME, name)}"
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
            os.write(descriptor, text)
            os.close(descriptor)


if __name__ == "__main__":
    main(*sys.argv[1:4], *map(int, sys.argv[4:]))
