#!/usr/bin/env bash
# Build the images of this project and push them: ./scripts/build.sh [--no-push]
# DOCKER names another builder, such as podman.
# PIP_INDEX_URL and PIP_EXTRA_INDEX_URL name package indexes, such as one with torch for CPUs.
# BUNDLE names the folder that gen export wrote, if not ../../../../build/seldon-server/production/seldon.
set -euo pipefail
bundle=${BUNDLE:-$(dirname "$0")/../../../../../build/seldon-server/production/seldon}
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

# The program goes beside the code in a copy of the folder, readable by the image's user.
staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT
cp -R images/model/. "$staged"
install -m 0644 "$bundle/"model.pt "$staged"
"$docker" build --platform linux/amd64 --build-arg PIP_INDEX_URL --build-arg PIP_EXTRA_INDEX_URL \
  --tag docker.io/acme/seldon-server-model-production:1.0 "$staged"
if [[ $push == true ]]; then
  "$docker" push docker.io/acme/seldon-server-model-production:1.0
fi

"$docker" build --platform linux/amd64 --tag docker.io/acme/seldon-server-perf:1.0 images/perf
if [[ $push == true ]]; then
  "$docker" push docker.io/acme/seldon-server-perf:1.0
fi
