"""One HTTP request to a door, and what becomes of its answer."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from generator.live import Refused, Unanswered

TIMEOUT_SECONDS = 120.0
SHOWN = 300  # characters of an answer that is no answer


@dataclass(frozen=True)
class Response:
    """The headers, names in lower case, and the body of an answer with status 200."""

    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; raises Unanswered where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise Unanswered(f"the answer is no JSON: {_shown(self.body)}") from None


def post_json(address: str, path: str, body: object) -> Any:
    """POST JSON to `host:port` and give the JSON of the answer."""
    content = json.dumps(body).encode()
    return post(address, path, content, {"Content-Type": "application/json"}).json()


def post(address: str, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
    """POST bytes to `host:port`; raises Refused for a 4xx, Unanswered for any other but 200."""
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("POST", path, body, dict(headers))
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise Unanswered(f"{type(error).__name__}: {error}") from error
    finally:
        connection.close()
    if answer.status == http.client.OK:
        return Response({name.lower(): value for name, value in answer.getheaders()}, content)
    said = f"{answer.status} {_shown(content)}"
    raise (Refused if answer.status in range(400, 500) else Unanswered)(said)


def _shown(content: bytes) -> str:
    return " ".join(content.decode("utf-8", errors="replace").split())[:SHOWN]
