#!/usr/bin/env bash
# Ask the model about images: ./requests/predict.sh [v1|v2|native] IMAGE...
# v1 and v2 send all images in one JSON request, and a sample where there are none; the other
# doors take each image as it is, in a request by itself.
# URL is the server's address.
set -euo pipefail

url=${URL:-http://127.0.0.1:8080}
named='file'
door=native
case ${1:-} in
  v1 | v2 | native)
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

call() { curl --silent --show-error --fail-with-body --write-out '\n' "$@"; }

send_each() {
  local path=$1 file
  shift
  if [[ $# -eq 0 ]]; then
    echo "usage: $0 [v1|v2|native] IMAGE..." >&2
    exit 2
  fi
  for file in "$@"; do
    call --upload-file "$file" "$url$path"
  done
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
    call --header 'Content-Type: application/json' --data-binary @- "$url$path"
}

case $door in
  v1) send_all /v1/models/example:predict "$@" ;;
  v2) send_all /v2/models/example/infer "$@" ;;
  native) send_each /predictions/example "$@" ;;
esac
