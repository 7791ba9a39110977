#!/usr/bin/env bash
# Build the images of this project and push them: ./scripts/build.sh [--no-push]
# DOCKER names another builder, such as podman.
# PIP_INDEX_URL and PIP_EXTRA_INDEX_URL name package indexes, such as one with torch for CPUs.
set -euo pipefail
cd "$(dirname "$0")/.."

docker=${DOCKER:-docker}
push=true
if [[ $* == --no-push ]]; then
  push=false
elif [[ $# -gt 0 ]]; then
  echo "usage: $0 [--no-push]" >&2
  exit 2
fi

"$docker" build --platform linux/amd64 --build-arg PIP_INDEX_URL --build-arg PIP_EXTRA_INDEX_URL \
  --tag registry.acme.example/serving/ranker-model:1.4 images/model
if [[ $push == true ]]; then
  "$docker" push registry.acme.example/serving/ranker-model:1.4
fi
