#!/bin/sh
# Make the model archives of a bundle, in its folder: what stands in archives/ goes to model-store/.
# TorchServe's own archiver does it, so this needs an image or an environment with TorchServe.
set -eu

mkdir -p model-store/.made

# mnist-pvc 1.0
test -f archives/mnist-pvc/model.pt || {
  echo "there is no archives/mnist-pvc/model.pt: upload the bundle of gen export first" >&2
  exit 1
}
(cd archives/mnist-pvc && torch-model-archiver --force \
  --model-name mnist-pvc --version 1.0 \
  --serialized-file model.pt --handler handler.py \
  --extra-files bodies.py,class_names.json,transforms.py \
  --export-path ../../model-store/.made)
# Into place in one step: a server that starts meanwhile finds the former archive or the new one.
mv model-store/.made/mnist-pvc.mar model-store/mnist-pvc-1.0.mar
rmdir model-store/.made
