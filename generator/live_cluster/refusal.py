"""What an API server says when it does not do what it is asked: its Status object."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from generator.document import Pointer
from generator.live_cluster.parts import listed, text

# metav1.StatusReason and StatusCause: apimachinery, pkg/apis/meta/v1/types.go
CONFLICT = "FieldManagerConflict"

_UNKNOWN = re.compile(r'unknown field "([^"]+)"')  # sigs.k8s.io/json, strict decoding
_UNDECLARED = re.compile(r"(\.\S+): (?:field not declared in schema|expected |duplicate )")
# k8s.io/apiserver, pkg/endpoints/handlers/responsewriters/errors.go
_NO_RIGHT = re.compile(r"cannot \S+ (resource|path)")
# Webhooks, one with side effects first: pkg/admission/plugin/webhook/errors/statuserror.go there
_NOT_TRIED = "does not support dry run"
_DENIED = "denied the request"
_MALFORMED = "failed to create typed patch object"
_STEP = re.compile(
    r'\[(?P<index>\d+)\]|\[(?P<key>[^\]=]+)="?(?P<is>[^"\]]*)"?\]|\[(?P<name>[^\]]+)\]|(?P<field>[^.\[\]]+)'
)


@dataclass(frozen=True)
class Cause:
    """One of several reasons; `field` is where, in the words of the server."""

    field: str
    message: str
    kind: str = ""


class Refused(Exception):
    """An answer other than a success, as the API server words it."""

    def __init__(
        self, code: int, message: str, reason: str = "", causes: tuple[Cause, ...] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason
        self.causes = causes

    def reworded(self, reword: Callable[[str], str]) -> "Refused":
        """The same refusal in other words."""
        causes = tuple(replace(cause, message=reword(cause.message)) for cause in self.causes)
        return Refused(self.code, reword(self.message), self.reason, causes)

    @property
    def is_absent(self) -> bool:
        return self.code == 404

    @property
    def is_forbidden(self) -> bool:
        """Whether the user lacks a right; quotas and pod security answer 403 as well."""
        return self.code == 403 and _NO_RIGHT.search(self.message) is not None

    @property
    def is_conflict(self) -> bool:
        return any(cause.kind == CONFLICT for cause in self.causes)

    @property
    def is_no_verdict(self) -> bool:
        """Whether it says nothing of what was sent: a webhook that cannot be reached, a time-out,
        a redirection.

        A server-side apply of a wrong field, which apimachinery answers with 500 (pkg/util/
        managedfields), is a verdict, and so is what a webhook denies, whatever its code.
        """
        if _NOT_TRIED in self.message:
            return True
        if _MALFORMED in self.message or _DENIED in self.message:
            return False
        return self.code >= 500 or self.code < 400 or self.code in (408, 429)


def refusal(code: int, body: Mapping[str, object]) -> Refused:
    """The refusal that a Status object is; of another body, one that says as much."""
    causes = tuple(
        Cause(text(cause, "field"), text(cause, "message"), text(cause, "reason"))
        for cause in listed(body, "details", "causes")
    )
    message = text(body, "message") or f"status {code} without a message"
    return Refused(code, message, text(body, "reason"), causes)


def fields(refused: Refused) -> list[str]:
    """The fields that a refusal is about, in the words of the server, each once."""
    named = [cause.field for cause in refused.causes if cause.field not in ("", "<nil>")]
    named += _UNKNOWN.findall(refused.message) + _UNDECLARED.findall(refused.message)
    return list(dict.fromkeys(named))


def pointer(field: str, manifest: object) -> Pointer:
    """Where a field of a manifest stands: `spec.ports[0].port`, `.ports[name="http"].port`."""
    found: list[str | int] = []
    value = manifest
    for step in _STEP.finditer(field):
        key: str | int
        if step["index"] is not None:
            key = int(step["index"])
        elif step["key"] is not None:
            items = value if isinstance(value, list) else []
            wanted = (step["key"], step["is"])
            matching = [n for n, item in enumerate(items) if text(item, wanted[0]) == wanted[1]]
            if not matching:
                break
            key = matching[0]
        else:
            key = step["name"] or step["field"]
        found.append(key)
        value = _inside(value, key)
    return tuple(found)


def _inside(value: object, key: str | int) -> object:
    if isinstance(value, Mapping):
        return value.get(str(key))
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return value[key]
    return None
