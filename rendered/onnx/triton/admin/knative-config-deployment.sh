#!/usr/bin/env bash
# Once for each cluster, by its administrator: let Knative take images from nvcr.io by tag.
# Knative resolves tags to digests itself, and nvcr.io answers it with a refusal.
#   ./admin/knative-config-deployment.sh [--yes]
# Reads the setting, adds what is missing, shows the change and asks before it writes.
# KNATIVE_NAMESPACE is where Knative runs. Where its operator does, set this in its own resource.
set -euo pipefail

if [[ $# -gt 0 && $* != --yes ]]; then
  echo "usage: $0 [--yes]" >&2
  exit 2
fi
namespace=${KNATIVE_NAMESPACE:-knative-serving}
registry=nvcr.io
key=registries-skipping-tag-resolving

current=$(kubectl get configmap config-deployment --namespace "$namespace" \
  --output "jsonpath={.data.$key}")
current=${current//[[:space:]]/}
# Knative's own default, which a value of ours replaces.
current=${current:-kind.local,ko.local,dev.local}
if [[ ",$current," == *",$registry,"* ]]; then
  echo "$key already holds $registry; nothing to do"
  exit 0
fi

wanted=$current,$registry
echo "configmap config-deployment in $namespace:"
echo "- $key: $current"
echo "+ $key: $wanted"
if [[ ${1:-} != --yes ]]; then
  read -r -p "write this? [y/N] " answer || answer=
  if [[ $answer != [yY] ]]; then
    echo "nothing written" >&2
    exit 1
  fi
fi
kubectl patch configmap config-deployment --namespace "$namespace" --type merge \
  --patch "{\"data\":{\"$key\":\"$wanted\"}}"
