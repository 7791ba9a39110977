#!/usr/bin/env bash
# Once for each namespace: create the secret with rclone's settings for the model storage.
# The SeldonDeployment names it; no value of it is kept here.
#   ./admin/storage-secret.sh SERVICE_ACCOUNT_KEY.json
set -euo pipefail

if [[ $# -ne 1 ]]; then
  echo "usage: $0 SERVICE_ACCOUNT_KEY.json" >&2
  exit 2
fi
# On one line: between the values of a JSON text a line's end is a blank.
key=$(tr -d '\r\n' <"$1")
# Through a pipe: others on this machine can read a command line.
kubectl create secret generic gcs-reader --namespace models \
  --from-env-file=/dev/stdin <<END
RCLONE_CONFIG_GS_TYPE=google cloud storage
RCLONE_CONFIG_GS_ANONYMOUS=false
RCLONE_CONFIG_GS_SERVICE_ACCOUNT_CREDENTIALS=$key
END
