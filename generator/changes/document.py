"""A comparison as one JSON document, for programs; docs/diff.md says what it holds."""

import json

from generator.changes.attention.sides import Finding
from generator.changes.comparison import Change, Comparison, Service
from generator.changes.contents import MANIFEST, Item
from generator.changes.leaves import ABSENT, shown_route
from generator.reports.texts import encodable

VERSION = 1
"""Grows when a field is renamed, removed or changes its meaning; new fields leave it as it is."""
_Json = dict[str, object]


def report(comparison: Comparison, status: int) -> str:
    """The document, on several lines; `status` is the exit status of the run."""
    changed = comparison.changed
    whole = {
        "version": VERSION,
        "from": comparison.old,
        "to": comparison.new,
        "services": [_service(service) for service in changed],
        "notes": comparison.notes,
        "failures": comparison.failures,
        "summary": {
            "services": len(comparison.services),
            "changed": len(changed),
            "changes": sum(len(service.changes) for service in changed),
            "attention": comparison.needing_attention,
            "status": status,
        },
    }
    return encodable(json.dumps(whole, indent=2, ensure_ascii=True, default=str)) + "\n"


def _service(service: Service) -> _Json:
    return {
        "project": service.place.project or None,
        "environment": service.place.environment or None,
        "target": service.place.target or None,
        "folder": "/".join(filter(None, _parts(service))) or None,
        "sense": service.sense,
        "attention": list(map(_finding, service.findings)),
        "changes": list(map(_change, service.changes)),
        "cosmetic": list(map(str, service.cosmetic)),
    }


def _parts(service: Service) -> tuple[str, str, str]:
    return service.place.project, service.place.environment, service.place.target


def _finding(finding: Finding) -> _Json:
    return _item(finding.item) | {
        "rule": finding.rule,
        "message": finding.message,
        "where": finding.where or None,
        "why": finding.why,
    }


def _change(change: Change) -> _Json:
    sides = {
        name: value
        for name, value in (("from", change.before), ("to", change.after))
        if value is not ABSENT
    }
    return (
        _item(change.item)
        | {
            "sense": change.sense,
            "path": shown_route(change.route),
            "subject": change.subject,
            "message": change.said,
        }
        | sides
    )


def _item(item: Item) -> _Json:
    manifest = None
    if item.form == MANIFEST:
        group, kind, namespace, name = item.name
        manifest = {"group": group, "kind": kind, "namespace": namespace or None, "name": name}
    return {"file": str(item.file), "form": item.form, "object": manifest}
