#!/usr/bin/env bash
# Build the images of this project and push them: ./scripts/build.sh [--no-push]
# DOCKER names another builder, such as podman.
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

"$docker" build --platform linux/amd64 --tag registry.acme.example/serving/digits-transformer:2.1 images/transformer
if [[ $push == true ]]; then
  "$docker" push registry.acme.example/serving/digits-transformer:2.1
fi

"$docker" build --platform linux/amd64 --tag registry.acme.example/serving/digits-perf:2.1 images/perf
if [[ $push == true ]]; then
  "$docker" push registry.acme.example/serving/digits-perf:2.1
fi
