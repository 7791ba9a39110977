"""What a file is that somebody wants linted: by its name, else by its content."""

import difflib
import re
from collections.abc import Iterable
from pathlib import PurePath
from typing import Literal

from generator import specs
from generator.torchserve_config.values import table
from generator.webhook_rules.partial import FILE_NAMES as KUSTOMIZATIONS

Form = Literal[
    "manifests",
    "config.pbtxt",
    "config.properties",
    "model-config.yaml",
    "spec",
    "team file",
    "other",
]

ARCHIVE_CONFIGS = ("model-config.yaml", "model_config.yaml")
_YAML = (".yaml", ".yml", ".json")
_OF_MODEL_CONFIG = re.compile(
    r"^[ \t]*(platform|backend|max_batch_size|instance_group|dynamic_batching|sequence_batching"
    r"|ensemble_scheduling|version_policy|model_warmup|input|output)[ \t]*[:\[{]",
    re.MULTILINE,
)
_KIND = re.compile(r"""^["']?kind["']?[ \t]*:""", re.MULTILINE)
_KEY = re.compile(r"^[ \t]*([a-z][A-Za-z_]+)[ \t]*=", re.MULTILINE)
_KEY_OF_JAVA = re.compile(r"^[ \t\f]*([a-z][A-Za-z_]+)[=: \t\f]", re.MULTILINE)
_SPELT_ALIKE = 0.85
_OF_MANIFEST = re.compile(r"""^[ \t{,-]*["']?(apiVersion|kind)["']?[ \t]*:""", re.MULTILINE)


def form_of(name: str, text: str) -> Form:
    """The form of a file; where its name says nothing, as of stdin, the content tells."""
    path = PurePath(name)
    if path.suffix == ".pbtxt":
        is_config = path.name == "config.pbtxt" or _OF_MODEL_CONFIG.search(text)
        return "config.pbtxt" if is_config else "other"
    if path.suffix == ".properties":
        keys = _KEY_OF_JAVA.findall(text)
        known = _are_of_torchserve(keys)
        is_misspelt = path.name == "config.properties" and _are_misspelt(keys)
        return "config.properties" if known or is_misspelt else "other"
    if path.name in ARCHIVE_CONFIGS and not _OF_MANIFEST.search(text):
        return "model-config.yaml"
    if path.name == "Chart.yaml" and not _KIND.search(text):
        return "other"  # of Helm's own: it has an apiVersion, and is no manifest
    if path.name in KUSTOMIZATIONS:
        return "manifests"
    if path.name == specs.TEAM_FILE:
        return "team file"
    if specs.is_spec(text.encode("utf-8", "replace")):
        return "spec"
    if _OF_MANIFEST.search(text) or path.suffix in (".yaml", ".yml"):
        return "manifests"
    if path.suffix == ".json":
        return "other"
    if _are_of_torchserve(_KEY.findall(text)):
        return "config.properties"
    return "config.pbtxt" if _OF_MODEL_CONFIG.search(text) else "manifests"


def _are_of_torchserve(keys: Iterable[str]) -> bool:
    """Whether a properties file says anything to TorchServe; other programs have some too."""
    return not table().keys.keys().isdisjoint(keys)


def _are_misspelt(keys: Iterable[str]) -> bool:
    """Whether a key is nearly one of TorchServe's."""
    return any(difflib.get_close_matches(key, table().keys, 1, _SPELT_ALIKE) for key in keys)


def may_hold(name: str) -> bool:
    """Whether a file of a folder is worth opening."""
    path = PurePath(name)
    return path.suffix in (*_YAML, ".pbtxt", ".properties") or path.name in KUSTOMIZATIONS
