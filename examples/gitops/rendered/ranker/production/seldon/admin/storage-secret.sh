#!/usr/bin/env bash
# Once for each namespace: create the secret with rclone's settings for the model storage.
# The SeldonDeployment names it; no value of it is kept here.
#   AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... ./admin/storage-secret.sh
# AWS_ENDPOINT_URL names another server than Amazon's, such as http://minio.example:9000, and
# AWS_DEFAULT_REGION a region. RCLONE_PROVIDER is rclone's word for its make, such as Minio.
set -euo pipefail

: "${AWS_ACCESS_KEY_ID:?set it to the id of the access key}"
: "${AWS_SECRET_ACCESS_KEY:?set it to the access key}"

settings=()
provider=AWS
if [[ -n ${AWS_ENDPOINT_URL:-} ]]; then
  if [[ $AWS_ENDPOINT_URL != http://?* && $AWS_ENDPOINT_URL != https://?* ]]; then
    echo "AWS_ENDPOINT_URL starts with neither http:// nor https://" >&2
    exit 2
  fi
  provider=${RCLONE_PROVIDER:-Other}
  settings+=(RCLONE_CONFIG_S3_ENDPOINT="$AWS_ENDPOINT_URL")
fi
if [[ -n ${AWS_DEFAULT_REGION:-} ]]; then
  settings+=(RCLONE_CONFIG_S3_REGION="$AWS_DEFAULT_REGION")
fi
settings+=(
  RCLONE_CONFIG_S3_TYPE=s3
  RCLONE_CONFIG_S3_PROVIDER="$provider"
  RCLONE_CONFIG_S3_ENV_AUTH=false
  RCLONE_CONFIG_S3_ACCESS_KEY_ID="$AWS_ACCESS_KEY_ID"
  RCLONE_CONFIG_S3_SECRET_ACCESS_KEY="$AWS_SECRET_ACCESS_KEY"
)
# Through a pipe: others on this machine can read a command line.
printf '%s\n' "${settings[@]}" |
  kubectl create secret generic s3-reader --namespace models \
    --from-env-file=/dev/stdin
