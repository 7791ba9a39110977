#!/usr/bin/env bash
# Send files to the model, each as it is in a request by itself: ./requests/predict.sh FILE...
# URL is the server's address.
set -euo pipefail

url=${URL:-http://127.0.0.1:8080}
named='file'
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
    echo "usage: $0 FILE..." >&2
    exit 2
  fi
  for file in "$@"; do
    call --upload-file "$file" "$url$path"
  done
}

send_each /predictions/detection "$@"
