"""What a config says of the folder that it stands in: its name, its versions, its files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from generator.model_config import integer
from generator.model_config_rules.model import Model, at, first, ineffective, word
from generator.pbtxt import Refusal


def name_of_another_folder(model: Model) -> Iterator[Refusal]:
    """Triton refuses a model whose folder has another name than its config says [ran]."""
    for name in model.config.scalars("name"):
        is_other = model.folder is not None and name.text not in ("", model.folder)
        if is_other and model.is_in_place:
            text = f"name `{name.text}` in a folder named `{model.folder}`"
            yield at(name, text, "give both one name, or drop `name`")


def policy_of_no_version(model: Model) -> Iterator[Refusal]:
    """Triton refuses a version_policy that serves none: "at least one version" [ran]."""
    for policy in model.config.messages("version_policy"):
        for latest in policy.messages("latest"):
            number = first(latest, "num_versions")
            if number is None or integer(number) == 0:
                place = latest if number is None else number
                yield at(place, "`latest` serves 0 versions", "set num_versions to at least 1")
        for specific in policy.messages("specific"):
            if not any(specific.scalars("versions")):
                yield at(specific, "`specific` serves no version", "list versions")


def version_without_folder(model: Model) -> Iterator[Refusal]:
    """Triton leaves out a version whose folder is missing, and refuses to serve none [ran]."""
    versions = model.versions()
    if not versions:  # nobody has looked, or the folders are filled elsewhere
        return
    for policy in model.config.messages("version_policy"):
        for specific in policy.messages("specific"):
            for version in specific.scalars("versions"):
                if integer(version) not in versions:
                    yield ineffective(version, f"version {version.text} has no folder here")


def label_file_missing(model: Model) -> Iterator[Refusal]:
    """Triton refuses to load a model whose label file it cannot read [ran]."""
    for output in model.config.messages("output"):
        for name in output.scalars("label_filename"):
            missing = model.files is not None and PurePosixPath(name.text) not in model.files
            if name.text and missing and model.is_in_place:
                yield at(name, f"no file `{name.text}` beside the config")


def incomplete_metric_control(model: Model) -> Iterator[Refusal]:
    """Triton refuses a metric_control without family or without buckets [core]."""
    for metrics in model.config.messages("model_metrics"):
        for control in metrics.messages("metric_control"):
            families = [
                word(identifier, "family") for identifier in control.messages("metric_identifier")
            ]
            buckets = [
                bucket
                for options in control.messages("histogram_options")
                for bucket in options.scalars("buckets")
            ]
            if not any(families):
                yield at(control, "a metric control without `metric_identifier.family`")
            if not buckets:
                yield at(control, "a metric control without `histogram_options.buckets`")


RULES = (
    name_of_another_folder,
    policy_of_no_version,
    version_without_folder,
    label_file_missing,
    incomplete_metric_control,
)
