"""How a bundle gets to its storage: the command of the user's own tool for each scheme."""

import re
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
            return _commit_to_hub(path, source)
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
            return _packed_for_web_server(uri, source)


def _commit_to_hub(path: str, source: str) -> tuple[str, ...]:
    """A commit to the branch that is named, which the tool makes where there is none.

    A revision may also be a commit, which is known only afterwards.
    """
    repository, _, revision = path.partition(":")
    upload = f"hf upload {shlex.quote(repository)} {source} ."
    public = "    # makes a new repository public without --private"
    if _COMMIT.fullmatch(revision):
        return (
            f"{upload}{public}",
            f"# then write hf://{repository}:COMMIT, with the new commit's hash, into storage.uri",
        )
    return (
        f"{upload} --revision {shlex.quote(revision)}{public}" if revision else upload + public,
    )


_COMMIT = re.compile(r"[0-9a-f]{40}")


def _packed_for_web_server(uri: str, source: str) -> tuple[str, ...]:
    """An archive of the folder's content; each web server has its own way of taking it."""
    archive = shlex.quote(uri.rpartition("/")[2])
    pack = f"tar --create --auto-compress --file {archive} --directory {source} ."
    if uri.endswith(".zip"):
        pack = f"python3 -m zipfile --create {archive} {source}/."
    return (pack, f"# then put {archive} where {uri} is served from")


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
