#!/usr/bin/env bash
# Build the images of this project and push them: ./scripts/build.sh [--no-push]
# DOCKER names another builder, such as podman.
# BUNDLE names the folder that gen export wrote, if not ../../../build/mnist-kubernetes/torchserve.
set -euo pipefail
bundle=${BUNDLE:-$(dirname "$0")/../../../../build/mnist-kubernetes/torchserve}
if [[ ! -d $bundle ]]; then
  echo "there is no bundle in $bundle: run gen export first, or set BUNDLE" >&2
  exit 2
fi
bundle=$(cd "$bundle" && pwd)
cd "$(dirname "$0")/.."

docker=${DOCKER:-docker}
push=true
if [[ $* == --no-push ]]; then
  push=false
elif [[ $# -gt 0 ]]; then
  echo "usage: $0 [--no-push]" >&2
  exit 2
fi

"$docker" build --platform linux/amd64 --tag docker.io/acme/mnist-kubernetes-torchserve:1.0 \
  --file images/torchserve/Dockerfile "$bundle"
if [[ $push == true ]]; then
  "$docker" push docker.io/acme/mnist-kubernetes-torchserve:1.0
fi

"$docker" build --platform linux/amd64 --tag docker.io/acme/mnist-kubernetes-perf:1.0 images/perf
if [[ $push == true ]]; then
  "$docker" push docker.io/acme/mnist-kubernetes-perf:1.0
fi
