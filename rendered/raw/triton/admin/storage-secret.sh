#!/usr/bin/env bash
# Once for each namespace: create the secret with the credentials for the model storage.
# The service names it in serving.kserve.io/storageSecretName; no value of it is kept here.
#   HF_TOKEN=... ./admin/storage-secret.sh
set -euo pipefail

: "${HF_TOKEN:?set it to a token of your account}"
# Through a pipe: others on this machine can read a command line.
kubectl create secret generic hugging-face \
  --from-env-file=/dev/stdin <<END
HF_TOKEN=$HF_TOKEN
END
