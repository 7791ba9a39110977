#!/usr/bin/env bash
# Call the service from outside the cluster with a sample, or with images of your own:
#   INGRESS_HOST=... ./requests/predict.sh [v1|v2] [IMAGE...]
# INGRESS_HOST is the address of the cluster's gateway; the README says how to find it. Scheme and
# host name are those of the service's url. INGRESS_PORT (of http 80, of https 443) and
# INGRESS_SCHEME are for a gateway that is reached another way, such as a forwarded port.
set -euo pipefail

protocol=v2
if [[ ${1:-} == v1 || ${1:-} == v2 ]]; then
  protocol=$1
  shift
fi
: "${INGRESS_HOST:?set it to the address of the gateway of the cluster}"

encoded() { base64 <"$1" | tr -d '\n'; }
joined() { local IFS=,; echo "$*"; }

if [[ $# -eq 0 ]]; then
  body=$(<"$(dirname "$0")/$protocol.json")
elif [[ $protocol == v1 ]]; then
  instances=()
  for image in "$@"; do
    instances+=("{\"image_bytes\":{\"b64\":\"$(encoded "$image")\"}}")
  done
  body="{\"instances\":[$(joined "${instances[@]}")]}"
else
  data=()
  for image in "$@"; do
    data+=("\"$(encoded "$image")\"")
  done
  body="{\"inputs\":[{\"name\":\"image_bytes\",\"shape\":[$#],\"datatype\":\"BYTES\",\"data\":[$(joined "${data[@]}")]}]}"
fi

case $protocol in
  v1) path=/v1/models/standard:predict ;;
  v2) path=/v2/models/standard/infer ;;
esac
url=$(kubectl get inferenceservice standard --namespace models --output 'jsonpath={.status.url}')
if [[ -z $url ]]; then
  echo "standard has no url yet: wait until it is ready" >&2
  exit 1
fi
# The service's own url at the gateway's address: right for the Host header, and for TLS too.
# The body goes through a pipe: images are longer than a command line may be.
printf '%s' "$body" | curl --silent --show-error --fail-with-body --data-binary @- \
  --header 'Content-Type: application/json' \
  --connect-to "::$INGRESS_HOST:${INGRESS_PORT:-}" \
  "${INGRESS_SCHEME:-${url%%://*}}://${url#*://}$path"
echo
