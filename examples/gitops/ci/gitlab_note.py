"""Put a Markdown file into the one note of a merge request that this script keeps.

Reads what GitLab CI sets, and GITLAB_TOKEN: a project access token with scope `api`. The note is a
help, not a gate: where it cannot be written that is said, and nothing fails.
"""

import http.client
import json
import os
import sys
import urllib.request
from pathlib import Path
from typing import Any

MARK = "<!-- gen diff -->"  # how the text begins
SECONDS = 30
PAGE = 100  # notes
FAILURES = (OSError, KeyError, ValueError, TypeError, AttributeError, http.client.HTTPException)


def main(file: str) -> None:
    project, merge_request = os.environ["CI_PROJECT_ID"], os.environ["CI_MERGE_REQUEST_IID"]
    api = os.environ["CI_API_V4_URL"]
    notes = f"{api}/projects/{project}/merge_requests/{merge_request}/notes"
    body = {"body": Path(file).read_text(encoding="utf-8")}
    own = own_note(notes, author=call("GET", f"{api}/user")["id"])
    if own is None:
        call("POST", notes, body)
    else:
        call("PUT", f"{notes}/{own}", body)


def own_note(notes: str, author: int) -> int | None:
    """The number of the note that an earlier run has made with the same token."""
    page = 1
    while found := call("GET", f"{notes}?per_page={PAGE}&page={page}&order_by=created_at"):
        for note in found:
            if note["author"]["id"] == author and str(note["body"]).startswith(MARK):
                return int(note["id"])
        page += 1
    return None


def call(method: str, url: str, body: dict[str, str] | None = None) -> Any:
    headers = {"PRIVATE-TOKEN": os.environ["GITLAB_TOKEN"], "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        return json.load(answer)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except FAILURES as error:
        sys.stderr.write(f"no note: {error!r}\n")
