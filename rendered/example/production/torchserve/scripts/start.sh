#!/usr/bin/env bash
# Build the image from the bundle that gen export wrote, start the server, and wait until every
# model has a worker: ./scripts/start.sh
# BUNDLE names the bundle's folder, if not ../../../../build/example/production/torchserve.
# BIND=0.0.0.0 opens inference to other machines. DOCKER names another program, such as podman.
set -euo pipefail
target=$(cd "$(dirname "$0")/.." && pwd)
BUNDLE=${BUNDLE:-$target/../../../../build/example/production/torchserve}
if [[ ! -d $BUNDLE/model-store ]]; then
  echo "there is no bundle in $BUNDLE: run gen export, or set BUNDLE" >&2
  exit 1
fi
BUNDLE=$(cd "$BUNDLE" && pwd)
export BUNDLE
archives=(
  example-1.0.mar
)
for archive in "${archives[@]}"; do
  if [[ ! -f $BUNDLE/model-store/$archive ]]; then
    echo "$archive is not in $BUNDLE/model-store: run gen export, or copy it there (README)" >&2
    exit 1
  fi
done

docker=${DOCKER:-docker}
compose() { "$docker" compose --file "$target/images/torchserve/compose.yaml" "$@"; }

"$docker" build --platform linux/amd64 --tag docker.io/acme/example-torchserve-production:1.0 \
  --file "$target/images/torchserve/Dockerfile" "$BUNDLE"
if ! compose up --detach --wait --wait-timeout 660 --renew-anon-volumes example; then
  compose logs --tail 50 example >&2
  echo "example is not ready; its last lines stand above" >&2
  exit 1
fi
cat <<END
inference  http://${BIND:-127.0.0.1}:8080/predictions/example
gRPC       ${BIND:-127.0.0.1}:7070
management http://127.0.0.1:8081/models
metrics    http://127.0.0.1:8082/metrics
END
