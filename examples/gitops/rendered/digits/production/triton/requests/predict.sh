#!/usr/bin/env bash
# Call the service from outside the cluster with a sample, or with images of your own:
#   INGRESS_HOST=... ./requests/predict.sh [v1|v2] [IMAGE...]
# INGRESS_HOST is the address of the cluster's gateway; the README says how to find it. Scheme and
# host name are those of the service's url. INGRESS_PORT (of http 80, of https 443) and
# INGRESS_SCHEME are for a gateway that is reached another way, such as a forwarded port.
set -euo pipefail

named='file'
door=v2
case ${1:-} in
  v1 | v2)
    door=$1
    shift
    ;;
  *) named='door or file' ;;
esac
for file in "$@"; do
  if [[ ! -r $file || -d $file ]]; then
    echo "no such $named: $file" >&2
    exit 2
  fi
  named='file'
done
: "${INGRESS_HOST:?set it to the address of the gateway of the cluster}"
url=$(kubectl get inferenceservice digits --namespace models --output 'jsonpath={.status.url}')
if [[ -z $url ]]; then
  echo "digits has no url yet: wait until it is ready" >&2
  exit 1
fi

# The service's own url at the gateway's address: right for the Host header, and for TLS too.
call() {
  local path=$1
  shift
  curl --silent --show-error --fail-with-body --write-out '\n' "$@" \
    --connect-to "::$INGRESS_HOST:${INGRESS_PORT:-}" \
    "${INGRESS_SCHEME:-${url%%://*}}://${url#*://}$path"
}

encoded() { base64 <"$1" | tr -d '\n'; }
joined() { local IFS=,; echo "$*"; }

v1_body() {
  local instances=() image
  for image in "$@"; do
    instances+=("{\"image_bytes\":{\"b64\":\"$(encoded "$image")\"}}")
  done
  body="{\"instances\":[$(joined "${instances[@]}")]}"
}

v2_body() {
  local data=() image
  for image in "$@"; do
    data+=("\"$(encoded "$image")\"")
  done
  body="{\"inputs\":[{\"name\":\"image_bytes\",\"shape\":[$#],\"datatype\":\"BYTES\",\"data\":[$(joined "${data[@]}")]}]}"
}

# All images in one request; the sample where there are none.
send_all() {
  local path=$1 body
  shift
  if [[ $# -eq 0 ]]; then
    body=$(<"$(dirname "$0")/$door.json")
  else
    "${door}_body" "$@"
  fi
  # Through a pipe: images are longer than a command line may be.
  printf '%s' "$body" |
    call "$path" --header 'Content-Type: application/json' --data-binary @-
}

case $door in
  v1) send_all /v1/models/digits:predict "$@" ;;
  v2) send_all /v2/models/digits/infer "$@" ;;
esac
