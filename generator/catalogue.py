"""Every rule by its name, with what its docstring says: for `gen explain`, and for reports.

Rules are functions with docstrings; what is refused without one, by readers and schemas, has its
sentences in the table `_OF_NO_FUNCTION`.
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from generator import image_rules, model_config, model_config_rules, webhook_rules
from generator.rules import RULES
from generator.targets import TARGETS
from generator.torchserve_config import archive_config
from generator.torchserve_config import catalogue as properties

_Rules = Mapping[str, tuple[Callable[..., Iterator[Any]], ...]]  # Any: each says its own problem


class Documented(Struct, frozen=True):
    """What a rule says: `summary` is its first sentence, `text` the paragraphs with it.

    `sources` are where its facts are from, as its module tells; `judges` is what it looks at.
    `warns` tells that it can be a warning, which does not fail.
    """

    name: str
    area: str
    summary: str
    text: str
    judges: str
    sources: tuple[str, ...] = ()
    warns: bool = False

    @property
    def is_linted(self) -> bool:
        """Whether gen lint says it, and can be told not to."""
        return self.judges in (_MANIFESTS, _MODEL_CONFIG, _PROPERTIES, _ARCHIVE_CONFIG)


SPEC = "a spec"
_MANIFESTS = "Kubernetes manifests, rendered or held by gen lint"
_MODEL_CONFIG = "a config.pbtxt, rendered or held by gen lint"
_PROPERTIES = "a config.properties, rendered or held by gen lint"
_ARCHIVE_CONFIG = "the model-config.yaml of a model archive, held by gen lint"
_LOCK = "images.lock, or a file for gen lock --from"
_RENDERED = "a rendered file, before it is written"
_FOLDER = "the folder of a project, held by gen render --check"


def documented(name: str) -> Documented | None:
    """What a rule says, None where there is none of that name."""
    return all_documented().get(name)


@cache
def all_documented() -> Mapping[str, Documented]:
    """Every rule by its name, in the order of names."""
    found = {rule.name: rule for rule in _all()}
    return MappingProxyType(dict(sorted(found.items())))


def _all() -> Iterator[Documented]:
    for name, (judges, text) in _OF_NO_FUNCTION.items():
        yield _of_text(name, text, judges, __name__, warns=name in _WARNINGS)
    for name, text in model_config.RULES.items():
        yield _of_text(name, text, _MODEL_CONFIG, model_config.__name__)
    for name, text in properties.RULES.items():
        warns = name in properties.WARNINGS
        judges = _ARCHIVE_CONFIG if name.startswith(f"{archive_config.AREA}/") else _PROPERTIES
        yield _of_text(name, text, judges, properties.__name__, warns=warns)
    yield from _of_functions(RULES, SPEC)
    yield from _of_functions({target.name: target.rules for target in TARGETS.values()}, SPEC)
    yield from _of_functions({image_rules.AREA: image_rules.RULES}, SPEC)
    yield from _of_functions(webhook_rules.all_rules(), _MANIFESTS)
    yield from _of_functions({"config-pbtxt": model_config_rules.RULES}, _MODEL_CONFIG)


def _of_text(name: str, text: str, judges: str, module: str, *, warns: bool = False) -> Documented:
    sources = _sources(text, module)
    return Documented(name, _area(name), _summary(text), text, judges, sources, warns)


def _of_functions(rules: _Rules, judges: str) -> Iterator[Documented]:
    for area, functions in rules.items():
        for function in functions:
            name = f"{area}/{function.__name__.replace('_', '-')}"
            text = inspect.getdoc(function) or ""
            sources = _sources(text, inspect.unwrap(function).__module__)
            yield Documented(name, area, _summary(text), text, judges, sources, _warns(function))


def _area(name: str) -> str:
    return name.partition("/")[0]


def _summary(text: str) -> str:
    """The first sentence: up to a full stop that ends a word, not one of `v1.2` or `e.g.`."""
    paragraph = " ".join(text.split("\n\n")[0].split())
    found = re.match(r".*?[^.\s][.](?=\s+[A-Z`\d]|$)", paragraph)
    return found[0] if found else paragraph


def _sources(text: str, module: str) -> tuple[str, ...]:
    """The links of a text, and what its module says that the words in [brackets] are."""
    about = " ".join(" ".join(_about(module)).split())
    named = (_meaning(word, about) for word in _BRACKETED.findall(text))
    told = (" ".join(source.split()).rstrip(".") for source in _SOURCE.findall(text))
    return tuple(dict.fromkeys([*filter(None, named), *told, *_LINK.findall(text)]))


_BRACKETED = re.compile(r"\[([a-z][a-z0-9 .-]*)\]")
_SOURCE = re.compile(r"Source: ([^\n]+(?:\n[^\n]+)*)")
_LINK = re.compile(r"https?://[^\s)\]>,]+[^\s)\]>,.;:]")


def _about(module: str) -> Iterator[str]:
    """What a module and the packages that it is in say of themselves."""
    while module:
        yield inspect.getdoc(sys.modules[module]) or ""
        module = module.rpartition(".")[0]


def _meaning(word: str, about: str) -> str:
    """What a module's docstring says of a word in brackets: `Of kserve/kserve, [a] is b.go`."""
    for sentence in re.split(r"(?<=[.:]) (?=[A-Z]|$)", about):
        if found := re.search(_LEGEND.format(re.escape(word)), sentence):
            of = re.match(r"Of ([^,]+),", sentence)
            named = re.sub(r"/ (?=[a-z])", "/", found[1])  # a path that goes on in the next line
            return f"[{word}] {named}{f' ({of[1]})' if of else ''}"
    return ""


_LEGEND = (
    r"\[{}\](?:,? (?:and )?\[[a-z0-9 .-]+\])*(?: is| are| was| means|:)? "
    r"([^\[\]]+?)(?=[;,]? (?:and )?\[|;|[.:]$|$)"
)


def _warns(function: Callable[..., object]) -> bool:
    """Whether a rule's code, or that of a function of its package that it calls, says so."""
    own = inspect.unwrap(function)
    called = (own.__globals__.get(name) for name in own.__code__.co_names)
    helpers = (each for each in called if inspect.isfunction(each))
    package = ".".join(own.__module__.split(".")[:2])
    near = [own, *(each for each in helpers if each.__module__.startswith(package))]
    return any(
        "warning" in _constants(each.__code__) or "warned" in each.__code__.co_names
        for each in near
    )


def _constants(code: Any) -> Iterator[object]:  # Any: types.CodeType holds further ones
    for constant in code.co_consts:
        yield constant
        if isinstance(constant, tuple):
            yield from constant
        if inspect.iscode(constant):
            yield from _constants(constant)


_WARNINGS = frozenset({"gitops/path-elsewhere", "names/same-service"})

_OF_NO_FUNCTION = {
    "schema": (
        SPEC,
        "The spec's JSON Schema, or that of a target's options, refuses the value: an unknown or"
        " missing key, another type, a word that is none of the choices, a number beyond its"
        " limits.\n\n`gen schema` prints the schema for editors, which then complete and underline"
        " as you type; `gen explain PATH` tells what a field takes.",
    ),
    "yaml/character": (
        SPEC,
        "A character that YAML does not allow, or one that is invisible, stands in the file. It"
        " cannot be seen in an editor, and readers disagree on it.",
    ),
    "yaml/duplicate-key": (
        SPEC,
        "A key stands twice in one map. Readers of YAML keep one of the two values, mostly the"
        " last, and say nothing.",
    ),
    "yaml/empty": (SPEC, "The file holds no YAML document."),
    "yaml/explodes": (
        SPEC,
        "Anchors that repeat each other unfold to more values than a spec can have. A few lines"
        " can fill the memory so.",
    ),
    "yaml/key": (
        SPEC,
        "A key is no text: a number, a boolean, a date, a list or a map. YAML reads `on:` or"
        " `1.0:` so; quoted they are text.",
    ),
    "yaml/merge": (SPEC, "`<<` merges something that is no map, or a map into itself."),
    "yaml/merge-conflict": (
        SPEC,
        "A line begins with `<<<<<<<`: git could not merge two versions of the file, left both, and"
        " somebody has to choose.",
    ),
    "yaml/not-a-map": (SPEC, "A spec is a map of keys; the file holds a list or a single value."),
    "yaml/not-utf-8": (SPEC, "The file is not UTF-8, the encoding of YAML files on all systems."),
    "yaml/several-documents": (
        SPEC,
        "A spec is one YAML document, and a second one begins after `---`.",
    ),
    "yaml/surprising-scalar": (
        SPEC,
        "A plain value that YAML takes for something else than most people do, or that YAML 1.1"
        " and 1.2 take for different things: `no`, `08`, `1_000`, `12:30`, `1e3`, a date. Quoted,"
        " or written as a plain number, it means one thing to every reader.",
    ),
    "yaml/syntax": (SPEC, "The file is no YAML: the parser says what it met, and where."),
    "yaml/tag": (
        SPEC,
        "A tag such as `!!python/object` asks the reader to make something else of the value;"
        " specs hold plain data.",
    ),
    "yaml/too-deep": (SPEC, "Lists and maps nest deeper than any spec needs."),
    "yaml/too-large": (
        SPEC,
        "The file is larger than a spec may be. Long lists such as class names stand in a file of"
        " their own, which the spec names.",
    ),
    "model/class-names-unreadable": (
        SPEC,
        "The file that model.class_names names is not there, or holds no list of names.",
    ),
    "accepted-warnings/unknown-rule": (
        SPEC,
        "accepted_warnings names a rule that does not exist, so nothing is accepted by it.",
    ),
    "credentials/spec-holds-a-credential": (
        SPEC,
        "The spec holds a credential, as a value or in a comment. Specs and what is rendered of"
        " them lie in git, where everybody who reads the repository has it, and where it"
        " stays after it was removed. A Secret of the cluster is named instead: storage.secret,"
        " kubernetes.image_pull_secrets, secretKeyRef in a patch."
        "\n\nThe line is shown with stars in the credential's place.",
    ),
    "credentials/looks-like-a-credential": (
        SPEC,
        "A value stands under a name such as `password` or `HF_TOKEN`, as an argument `--token` or"
        " as a variable of a container. That is a guess: accepted_warnings takes the reason why it"
        " is no secret. Words, paths and what stands for a value, such as `$(NAME)`, are let be."
        "\n\nThe line is shown with stars in the value's place.",
    ),
    "also-serves/cannot-be-served": (
        SPEC,
        "Another spec named in also_serves cannot stand on the same server: it is not there, has"
        " no such target, or serves others itself.",
    ),
    "images/broken-lock": (
        _LOCK,
        "images.lock cannot be used as it is: another version, an image that stands twice, or what"
        " is no digest. gen lock writes it.",
    ),
    "names/same-image": (
        SPEC,
        "Two targets of the project build images of one name with different content: the one"
        " pushed last would run in both places.",
    ),
    "names/same-service": (
        SPEC,
        "Two targets make a service of one name, so that the one applied last takes the other's"
        " place. That may be meant: then accept it.",
    ),
    "patches/does-not-apply": (
        SPEC,
        "A patch of the spec does not fit the manifest that it changes: there is no such file, or"
        " no such place in it.",
    ),
    "defaults/is-no-spec": (
        SPEC,
        "serving-defaults.yaml is named as a spec. It holds what a team says once for all its"
        " specs, which are merged over it: name those, or their folder.",
    ),
    "defaults/misnamed": (
        SPEC,
        "serving-defaults.yml lies above the spec. The file that is read ends with .yaml; what this"
        " one says would be missing without a word.",
    ),
    "defaults/not-shared": (
        SPEC,
        "A storage of serving-defaults.yaml is an image (oci://) or a repository of a hub (hf://)."
        " Each of them holds one model: `/<project>` behind it would name nothing.",
    ),
    "defaults/of-one-spec": (
        SPEC,
        "serving-defaults.yaml holds what only a spec can say: its version, the project's name, or"
        " its model.",
    ),
    "specs/name-used-twice": (
        SPEC,
        "Two specs of one run have the same project name, and would be rendered over each other.",
    ),
    "specs/application-used-twice": (
        SPEC,
        "Two specs of one run render an Application of the same name: `a-b` in `c` and `a` in"
        " `b-c` come to one. Applied to one Argo CD, the last takes the other's place, and what"
        " the other has applied is nobody's any more.",
    ),
    "gitops/path-elsewhere": (
        SPEC,
        "gen render writes to another folder of the repository than `gitops.argo_cd.path`: the"
        " Applications would look for manifests where there are none, or old ones.\n\nIt is told"
        " where a remote of the git repository is `gitops.argo_cd.repository`.",
    ),
    "compose/schema": (
        _RENDERED,
        "docker compose would refuse the rendered compose file, by the schema of the Compose"
        " specification: https://github.com/compose-spec/compose-spec",
    ),
    "render/drift": (
        _FOLDER,
        "A file is not what its spec renders: it was edited, or the spec has changed since, and the"
        " next gen render takes the edit back. It is missing, or it is not rendered any more.",
    ),
    "render/left-over": (
        _FOLDER,
        "With --check --prune: a project that no spec renders any more, which goes on running while"
        " Argo CD finds it, or a file that gen render has not written where Argo CD may apply it.",
    ),
    "render/unseen-spec": (
        _FOLDER,
        "With --prune: a project would be removed as left over, but a file that is no spec of the"
        " run names it, or may have been any spec: it is empty, or cannot be read. A wrong letter"
        " in `spec_version`, another ending of the file or a folder that was not given is no"
        " reason to delete a service that runs.",
    ),
    "python/syntax": (_RENDERED, "A rendered program is no Python."),
    "json/syntax": (_RENDERED, "A rendered file is no JSON."),
    "kubernetes/schema": (
        _MANIFESTS,
        "The API server refuses the manifest by the schema of its kind, or drops a field that it"
        " does not know.",
    ),
    "kubernetes/name": (
        _MANIFESTS,
        "The API server refuses a name, a namespace, or a key or value of labels or annotations"
        " that is not formed as Kubernetes has them.",
    ),
}
"""What is refused by no rule function: what it judges, and what it says."""
