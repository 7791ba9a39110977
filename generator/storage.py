"""How a bundle gets to its storage: the command of the user's own tool for each scheme."""

import shlex

BUSYBOX = "docker.io/library/busybox:1.37"


def scheme(uri: str) -> str:
    """`s3` of `s3://bucket/folder`."""
    return uri.partition("://")[0]


def upload_commands(uri: str, bundle: str, namespace: str | None) -> tuple[str, ...]:
    """Shell lines that copy the folder `bundle` to a storage URI.

    What lies there already stays: the pods of the version before may still download it.
    """
    source, target = shlex.quote(bundle), shlex.quote(uri)
    path = uri.partition("://")[2]
    match scheme(uri):
        case "s3":
            return (f"aws s3 sync {source}/ {target}/",)
        case "gs":
            return (f"gcloud storage rsync --recursive {source}/ {target}/",)
        case "hf":
            return (f"hf upload {shlex.quote(path.partition(':')[0])} {source} .",)
        case "pvc":
            return _copy_to_claim(path, source, namespace)
        case "oci":
            # A modelcar: KServe looks for the files under /models of the image.
            return (
                f"printf 'FROM {BUSYBOX}\\nCOPY . /models\\n' "
                f"| docker build --tag {shlex.quote(path)} --file - {source}",
                f"docker push {shlex.quote(path)}",
            )
        case _:
            archive = shlex.quote(path.rpartition("/")[2])
            return (f"tar --create --auto-compress --file {archive} --directory {source} .",)


def _copy_to_claim(path: str, source: str, namespace: str | None) -> tuple[str, ...]:
    """A pod that mounts the claim, for as long as the copy takes."""
    claim, _, rest = path.partition("/")
    folder = shlex.quote(f"/claim/{rest}")
    kubectl = f"kubectl --namespace {namespace}" if namespace else "kubectl"
    overrides = (
        f'{{"spec":{{"containers":[{{"name":"upload","image":"{BUSYBOX}",'
        '"command":["sleep","3600"],"volumeMounts":[{"name":"claim","mountPath":"/claim"}]'
        '}],"volumes":[{"name":"claim","persistentVolumeClaim":'
        f'{{"claimName":"{claim}"}}}}]}}}}'
    )
    return (
        f"{kubectl} run upload --image {BUSYBOX} --overrides '{overrides}'",
        f"{kubectl} wait --for condition=Ready pod/upload",
        f"{kubectl} exec upload -- mkdir -p {folder}",
        f"{kubectl} cp {source}/. upload:{folder}",
        f"{kubectl} delete pod upload",
    )
