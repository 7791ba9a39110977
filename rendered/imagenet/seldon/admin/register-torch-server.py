#!/usr/bin/env python3
"""Once for each cluster, by its administrator: make the image of this project TORCH_SERVER.

    ./admin/register-torch-server.py [--dry-run] [--replace] [--remove]

Seldon's operator knows the servers that it starts from one JSON text in a configmap. This changes
the entry TORCH_SERVER of it and leaves the others as they are, shows the change, and writes it only
if nobody has written there in between. SELDON_NAMESPACE is where the operator runs, if not
seldon-system. An upgrade of the operator's chart writes the configmap anew: run this again, or put
the entry into the chart's values.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import subprocess
import sys
from typing import Any

SERVER = "TORCH_SERVER"
IMAGE = "docker.io/acme/torch-server"
TAG = "1.0"
ENTRY = {"protocols": {"seldon": {"image": IMAGE, "defaultImageVersion": TAG}}}

CONFIGMAP, KEY = "seldon-config", "predictor_servers"
NAMESPACE = os.environ.get("SELDON_NAMESPACE") or "seldon-system"
PLACE = f"configmap {CONFIGMAP} in {NAMESPACE}"

# How the text may be written: as the chart does, or by hand. It is left as it was.
LAYOUTS: tuple[dict[str, Any], ...] = (
    {"separators": (",", ":")},
    {"separators": (", ", ": ")},
    {"indent": 2},
    {"indent": 4},
)


def main() -> None:
    """Register the image, or take it out; status 1 when that is refused."""
    wanted = arguments()
    version, text = read()
    servers = parsed(text)
    known = servers.get(SERVER)
    if wanted.remove and SERVER not in servers:
        print(f"{SERVER} is not registered; nothing to do")
        return
    if not wanted.remove and known == ENTRY:
        print(f"{SERVER} is already registered with {IMAGE}:{TAG}; nothing to do")
        return
    changed = dict(servers)
    if wanted.remove:
        del changed[SERVER]
    else:
        changed[SERVER] = ENTRY
    print("\n".join(difference(servers, changed)))
    if SERVER in servers and known != ENTRY and not wanted.replace:
        sys.exit(
            f"nothing written: {SERVER} is registered with {image_of(known)}, not {IMAGE}:{TAG}; "
            "--replace gives that up, for every project that names the server"
        )
    if wanted.dry_run:
        print("nothing written")
        return
    write(version, written(changed, like=text))
    print("The operator needs no restart. What runs keeps its image until it is applied again.")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=f"Register {IMAGE}:{TAG} as {SERVER}.")
    parser.add_argument("--dry-run", action="store_true", help="show the change, write nothing")
    parser.add_argument("--replace", action="store_true", help="give up another entry")
    parser.add_argument("--remove", action="store_true", help=f"take {SERVER} out")
    return parser.parse_args()


def read() -> tuple[str, str]:
    """Get the configmap's version and the text of its servers."""
    found = kubectl("get", "configmap", CONFIGMAP, "--output", "json")
    configmap = json.loads(found)
    text = configmap.get("data", {}).get(KEY)
    if text is None:
        sys.exit(f"{PLACE} has no {KEY}: is this the operator's namespace?")
    return configmap["metadata"]["resourceVersion"], text


def parsed(text: str) -> dict[str, Any]:
    """Read the servers; what is broken already is not written over."""
    try:
        servers = json.loads(text, object_pairs_hook=unique)
    except ValueError as error:
        sys.exit(f"{KEY} of {PLACE} is broken, repair it first: {error}")
    if not isinstance(servers, dict):
        sys.exit(f"{KEY} of {PLACE} is not a map of servers")
    return servers


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a map; a key that stands twice would lose one of its values."""
    servers = dict(pairs)
    if len(servers) < len(pairs):
        raise ValueError("a key stands twice in one map")
    return servers


def image_of(entry: object) -> str:
    """Name the image of an entry with its tag, or show an entry that holds more."""
    try:
        image = entry["protocols"]["seldon"]  # type: ignore[index]
        name, tag = image["image"], image["defaultImageVersion"]
    except (KeyError, TypeError):
        return json.dumps(entry)
    alone = {"protocols": {"seldon": {"image": name, "defaultImageVersion": tag}}}
    return f"{name}:{tag}" if entry == alone else json.dumps(entry)


def difference(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Show what changes, line by line."""
    before, after = (json.dumps(servers, indent=2).splitlines() for servers in (old, new))
    names = (f"{PLACE}: {KEY}", f"{PLACE}: {KEY}, changed")
    return list(difflib.unified_diff(before, after, *names, lineterm=""))


def written(servers: dict[str, Any], like: str) -> str:
    """Write the servers in the layout of the text that they were read from."""
    same = json.loads(like)
    for layout in LAYOUTS:
        if json.dumps(same, ensure_ascii=False, **layout) == like.strip():
            return json.dumps(servers, ensure_ascii=False, **layout)
    return json.dumps(servers, ensure_ascii=False, indent=4)


def write(version: str, text: str) -> None:
    """Change one key of the configmap; the API server refuses if its version is another now."""
    patch = {"metadata": {"resourceVersion": version}, "data": {KEY: text}}
    options = ("--type", "merge", "--patch-file", "/dev/stdin")
    print(kubectl("patch", "configmap", CONFIGMAP, *options, given=json.dumps(patch)), end="")


def kubectl(*words: str, given: str | None = None) -> str:
    """Run kubectl in the operator's namespace; end with its status if it fails."""
    command = ["kubectl", *words, "--namespace", NAMESPACE]
    try:
        done = subprocess.run(command, input=given, stdout=subprocess.PIPE, text=True)
    except FileNotFoundError:
        sys.exit("kubectl: command not found")
    if done.returncode:
        print("nothing written", file=sys.stderr)
        sys.exit(done.returncode)
    return done.stdout


if __name__ == "__main__":
    main()
