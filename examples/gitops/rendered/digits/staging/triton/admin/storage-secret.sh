#!/usr/bin/env bash
# Once for each namespace: create the secret with the credentials for the model storage.
# The service names it in serving.kserve.io/storageSecretName; no value of it is kept here.
#   AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... ./admin/storage-secret.sh
# AWS_ENDPOINT_URL names another server than Amazon's, such as http://minio.example:9000, and
# AWS_DEFAULT_REGION a region.
set -euo pipefail

: "${AWS_ACCESS_KEY_ID:?set it to the id of the access key}"
: "${AWS_SECRET_ACCESS_KEY:?set it to the access key}"

# What KServe wants to know beside the credentials: the server without its scheme.
annotations=()
if [[ -n ${AWS_ENDPOINT_URL:-} ]]; then
  case $AWS_ENDPOINT_URL in
    http://?*) https=0 ;;
    https://?*) https=1 ;;
    *)
      echo "AWS_ENDPOINT_URL starts with neither http:// nor https://" >&2
      exit 2
      ;;
  esac
  endpoint=${AWS_ENDPOINT_URL#*://}
  annotations+=("serving.kserve.io/s3-endpoint=${endpoint%/}" "serving.kserve.io/s3-usehttps=$https")
fi
if [[ -n ${AWS_DEFAULT_REGION:-} ]]; then
  annotations+=("serving.kserve.io/s3-region=$AWS_DEFAULT_REGION")
fi

# Through a pipe: others on this machine can read a command line.
kubectl create secret generic s3-reader --namespace models-staging \
  --from-env-file=/dev/stdin <<END
AWS_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID
AWS_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY
END
if [[ -n ${annotations[*]:-} ]]; then
  kubectl annotate secret s3-reader --namespace models-staging "${annotations[@]}"
fi
