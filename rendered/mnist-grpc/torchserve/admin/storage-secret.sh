#!/usr/bin/env bash
# Once for each namespace: create the secret with the credentials for the model storage.
# The service names it in serving.kserve.io/storageSecretName; no value of it is kept here.
#   ./admin/storage-secret.sh SERVICE_ACCOUNT_KEY.json
set -euo pipefail

if [[ $# -ne 1 ]]; then
  echo "usage: $0 SERVICE_ACCOUNT_KEY.json" >&2
  exit 2
fi
# The key's name is what KServe looks for: credentials.gcs.gcsCredentialFileName.
kubectl create secret generic gcs-reader \
  --from-file=gcloud-application-credentials.json="$1"
