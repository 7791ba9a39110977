#!/usr/bin/env bash
# Ask the graph about images, all in one request; about a sample where there are none:
#   [INGRESS_HOST=...] ./requests/predict.sh [IMAGE...]
# INGRESS_HOST is the address of the cluster's gateway. INGRESS_SCHEME (http) and INGRESS_PORT are
# for a gateway that is reached another way, such as a forwarded port.
# Without INGRESS_HOST, URL is the orchestrator's address; forward its port first:
#   kubectl port-forward --namespace models service/imagenet-default 8000
set -euo pipefail

for file in "$@"; do
  if [[ ! -r $file || -d $file ]]; then
    echo "no such file: $file" >&2
    exit 2
  fi
done
url=${URL:-http://127.0.0.1:8000}
if [[ -n ${INGRESS_HOST:-} ]]; then
  url="${INGRESS_SCHEME:-http}://$INGRESS_HOST${INGRESS_PORT:+:$INGRESS_PORT}"
  url+=/seldon/models/imagenet
fi

encoded() { base64 <"$1" | tr -d '\n'; }
joined() { local IFS=,; echo "$*"; }

case $# in
  0) body=$(<"$(dirname "$0")/native.json") ;;
  1) body="{\"binData\":\"$(encoded "$1")\"}" ;;
  *)
    instances=()
    for image in "$@"; do
      instances+=("{\"image_bytes\":{\"b64\":\"$(encoded "$image")\"}}")
    done
    body="{\"jsonData\":{\"instances\":[$(joined "${instances[@]}")]}}"
    ;;
esac
# Through a pipe: images are longer than a command line may be.
printf '%s' "$body" |
  curl --silent --show-error --fail-with-body --write-out '\n' \
    --header 'Content-Type: application/json' --data-binary @- "$url/api/v1.0/predictions"
