#!/usr/bin/env bash
# Build the images of this project by s2i and push them: ./scripts/build.sh [--no-push]
# S2I and DOCKER name other programs than s2i and docker.
# PIP_INDEX_URL and PIP_EXTRA_INDEX_URL name package indexes, such as one with torch for CPUs. They
# stay in the images: put no password there.
set -euo pipefail
cd "$(dirname "$0")/.."

s2i=${S2I:-s2i}
docker=${DOCKER:-docker}
push=true
if [[ $* == --no-push ]]; then
  push=false
elif [[ $# -gt 0 ]]; then
  echo "usage: $0 [--no-push]" >&2
  exit 2
fi
if ! command -v "$s2i" >/dev/null; then
  echo "$s2i is not installed: it is at https://github.com/openshift/source-to-image/releases" >&2
  exit 2
fi

builder_image=docker.io/seldonio/seldon-core-s2i-python3:1.18.2
# The folder as it is, not what git has of it.
options=(--copy)
for name in PIP_INDEX_URL PIP_EXTRA_INDEX_URL; do
  if [[ -n ${!name:-} ]]; then
    options+=(--env "$name=${!name}")
  fi
done

"$s2i" build "${options[@]}" images/model "$builder_image" docker.io/acme/seldon-conda-model:1.0
if [[ $push == true ]]; then
  "$docker" push docker.io/acme/seldon-conda-model:1.0
fi
