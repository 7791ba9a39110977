"""The floor's templates: what gen rendered for one spec, with its values taken out again.

The values of that spec stand nowhere else in what is rendered; wherever one does, an expression
takes it from the spec. One thing is worked out and not filled in, the digest in the name of the
load test's job: the floor gets it as one more line of each spec.
"""

import compileall
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jinja2

from benches import corpus
from benches.floor import NAME

TOKENS = {
    "name": "model-98765",
    "bucket": "models-97",
    "most": "977",
    "namespace": "team-97",
    "team": "team-96",
    "registry": "docker.io/acme-97",
    "tag": "1.9.43219",
    "rate": "6473",
    "class": "class-32198",
}
"""The values of the spec that templates are made of; as wide as those of the corpus."""
EXPRESSIONS = {
    f"s3://{TOKENS['bucket']}/{TOKENS['name']}": "storage.uri",
    TOKENS["name"]: "name",
    TOKENS["most"]: "serving.replicas.max",
    TOKENS["namespace"]: "kubernetes.namespace",
    TOKENS["team"]: "kubernetes.labels.team",
    TOKENS["registry"]: "images.registry",
    TOKENS["tag"]: "images.tag",
    TOKENS["rate"]: "perf.rate",
    **{f"{TOKENS['class']}-{n}": f"model.class_names[{n}]" for n in range(corpus.CLASSES)},
}
DIGEST = re.compile(rf"(?<={TOKENS['name']}-perf-)[0-9a-f]{{8}}")
JOB = "triton/perf/job.yaml"
RECORD = ".serving-generator"
"""What gen knows of a folder: not rendered, and nothing of it is deployed."""


@dataclass(frozen=True)
class Template:
    """A file of a project; in its path NAME stands for the project's name."""

    path: str
    source: str
    is_executable: bool


def spec() -> str:
    """The spec whose render `templates` takes."""
    return corpus.spec(TOKENS)


def templates(project: Path) -> list[Template]:
    """A template for each file of that spec's project, in path order."""
    return [
        Template(
            str(path.relative_to(project)).replace(TOKENS["name"], NAME),
            source(path.read_text(encoding="utf-8")),
            bool(path.stat().st_mode & 0o100),
        )
        for path in rendered_files(project)
    ]


def rendered_files(project: Path) -> Iterator[Path]:
    """The files of a project without gen's own record, in path order."""
    for path in sorted(project.rglob("*")):
        if path.is_file() and path.name != RECORD:
            yield path


def source(text: str) -> str:
    """The template of a text that holds tokens."""
    parts = re.split(f"({DIGEST.pattern}|{'|'.join(map(re.escape, _longest_first()))})", text)
    literals = [re.sub(r"({[{%#])", r"{{ '\1' }}", literal) for literal in parts[::2]]
    values = [f"{{{{ {EXPRESSIONS.get(found, 'digest')} }}}}" for found in parts[1::2]]
    return "".join(part for pair in zip(literals, [*values, ""], strict=True) for part in pair)


def _longest_first() -> list[str]:
    return sorted(EXPRESSIONS, key=len, reverse=True)


def compile_templates(made: list[Template], folder: Path) -> None:
    """Write what the floor loads: a Python module for each template, and the list of files."""
    sources = {template.path: template.source for template in made}
    environment = jinja2.Environment(  # noqa: S701  as the floor's
        loader=jinja2.DictLoader(sources),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.compile_templates(folder, zip=None)
    folders = {f"{NAME}/{parent}" for path in sources for parent in Path(path).parents}
    listed = sorted(str(Path(each)) for each in folders)
    files = [(f"{NAME}/{each.path}", each.path, each.is_executable) for each in made]
    index = f"FOLDERS = {listed!r}\nFILES = {files!r}\n"
    (folder / "floor_files.py").write_text(index, encoding="utf-8")
    compileall.compile_dir(folder, quiet=1)


def with_digests(specs: Path, rendered: Path, folder: Path) -> None:
    """Copy a corpus for the floor: its specs, each with the digest that gen worked out."""
    folder.mkdir(parents=True)
    for path in sorted(specs.iterdir()):
        job = (rendered / path.stem / JOB).read_text(encoding="utf-8")
        [digest, *_] = re.findall(rf"(?<={path.stem}-perf-)[0-9a-f]{{8}}", job)
        text = f"{path.read_text(encoding='utf-8')}digest: {json.dumps(digest)}\n"
        (folder / path.name).write_text(text, encoding="utf-8")
