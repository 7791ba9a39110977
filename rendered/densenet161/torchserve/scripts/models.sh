#!/usr/bin/env bash
# Look after the models of the running server:
#   ./scripts/models.sh list
#   ./scripts/models.sh describe MODEL [VERSION]
#   ./scripts/models.sh register ARCHIVE.mar [--workers N] [--batch-size N] [--batch-delay MS]
#   ./scripts/models.sh scale MODEL WORKERS [VERSION]
#   ./scripts/models.sh set-default MODEL VERSION
#   ./scripts/models.sh delete MODEL [VERSION]
#   ./scripts/models.sh ping
# ARCHIVE.mar is the name of a file in the model store, such as densenet161-1.0.mar; a URL where the
# spec's settings have allowed_urls. Without VERSION, describe shows all versions; scale and delete
# take the default one. MANAGEMENT and INFERENCE are the server's addresses.
# What is changed holds until the container starts again: what shall stay goes into the spec.
set -euo pipefail

management=${MANAGEMENT:-http://127.0.0.1:8081}
inference=${INFERENCE:-http://127.0.0.1:8080}

usage() {
  sed -n 's/^#   \(\.\/.*\)/\1/p' "$0" >&2
  exit 2
}

# Percent-encodes all bytes of a name but those that a URL takes as they are.
encoded() {
  local LC_ALL=C rest=$1 byte
  while [[ -n $rest ]]; do
    byte=${rest:0:1}
    rest=${rest:1}
    case $byte in
      [A-Za-z0-9._~-]) printf '%s' "$byte" ;;
      *) printf '%%%02X' "'$byte" ;;
    esac
  done
}

# Prints the server's answer; where it refuses, on stderr and with exit status 1.
ask() {
  local method=$1 url=$2 answer
  shift 2
  if answer=$(curl --silent --show-error --fail-with-body --max-time 600 \
    --request "$method" "$@" "$url"); then
    echo "$answer"
  else
    [[ -z $answer ]] || echo "$answer" >&2
    exit 1
  fi
}

model() { echo "$management/models/$(encoded "$1")${2:+/$(encoded "$2")}"; }

whole() {
  if [[ ! $1 =~ ^[0-9]+$ ]]; then
    echo "not a whole number: $1" >&2
    exit 2
  fi
}

register() {
  [[ $# -ge 1 && $1 != -* ]] || usage
  local archive=$1 workers=1 size=4 delay=1
  shift
  while [[ $# -ge 2 ]]; do
    whole "$2"
    case $1 in
      --workers) workers=$2 ;;
      --batch-size) size=$2 ;;
      --batch-delay) delay=$2 ;;
      *) usage ;;
    esac
    shift 2
  done
  [[ $# -eq 0 ]] || usage
  ask POST "$management/models" --get --data-urlencode "url=$archive" \
    --data "initial_workers=$workers&batch_size=$size&max_batch_delay=$delay" \
    --data 'response_timeout=120&synchronous=true'
}

scale() {
  whole "$2"
  ask PUT "$(model "$1" "${3:-}")" --get \
    --data "min_worker=$2&max_worker=$2&synchronous=true"
}

command=${1:-}
shift $(($# > 0))
case $command:$# in
  list:0) ask GET "$management/models?limit=100" ;;
  describe:[12]) ask GET "$(model "$1" "${2:-all}")" ;;
  register:*) register "$@" ;;
  scale:[23]) scale "$@" ;;
  set-default:2) ask PUT "$(model "$1" "$2")/set-default" ;;
  delete:[12]) ask DELETE "$(model "$1" "${2:-}")" ;;
  ping:0) ask GET "$inference/ping" ;;
  *) usage ;;
esac
