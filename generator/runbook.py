"""What the runbooks of several targets say in the same words."""

from collections.abc import Iterator

from generator.argo_cd.application import application_file, runs_load_test
from generator.project import Project
from generator.workload import namespace_flag


def selection(project: Project) -> str:
    """The options of gen that name this deployment alone, a space before them."""
    environment = f" --environment {project.environment}" if project.environment else ""
    return f" --target {project.target}{environment}"


def cluster_needs(project: Project) -> Iterator[str]:
    """What the namespace needs before anything is applied; not the storage's credentials."""
    kubernetes, flag = project.kubernetes, namespace_flag(project.kubernetes.namespace)
    if kubernetes.namespace:
        yield f"Namespace: `kubectl create namespace {kubernetes.namespace}`."
    else:
        yield "No namespace is named in the spec: the manifests go where `kubectl` points."
    if kubernetes.service_account:
        account = kubernetes.service_account
        yield f"Service account: `kubectl create serviceaccount {account}{flag}`."
    for secret in kubernetes.image_pull_secrets:
        create = f"kubectl create secret docker-registry {secret}{flag} ..."
        yield f"Secret `{secret}` for pulling images: `{create}`."


def applied(project: Project) -> dict[str, object]:
    """The commands that bring the service into the cluster, and out of it."""
    application = application_file(project)
    if not application:
        what = "--kustomize manifests"
        return {"apply": (f"kubectl apply {what}",), "remove": f"kubectl delete {what}"}
    what = f"--filename {application}"
    apply = (
        "# Once, where Argo CD runs, which then applies what is in the repository:",
        f"kubectl apply {what}",
    )
    return {"apply": apply, "remove": f"kubectl delete {what}"}


def measured_pods_need(project: Project) -> Iterator[str]:
    """What a HorizontalPodAutoscaler needs."""
    if project.serving.autoscaling:
        yield "The autoscaler reads what the metrics server of the cluster measures."


def load_test(project: Project, commands: tuple[str, ...]) -> dict[str, object] | None:
    """How hard the load test is, and the commands that run it."""
    if not project.perf:
        return None
    on_purpose = "It is applied on purpose, never with the service."
    after_sync = "Argo CD runs it after each sync, which fails with it."
    return {
        "applied": after_sync if runs_load_test(project) else on_purpose,
        "rate": project.perf.rate,
        "duration": project.perf.duration,
        "warm_up": project.perf.warm_up,
        "commands": commands,
    }


def job_commands(project: Project, job: str) -> tuple[str, ...]:
    """Run the load test's Job and read what it says."""
    flag = namespace_flag(project.kubernetes.namespace)
    return (
        "kubectl apply --kustomize perf",
        f"kubectl wait --for condition=Ready pod --selector job-name={job}{flag} --timeout 300s",
        f"kubectl logs --follow job/{job}{flag}",
        "kubectl delete --kustomize perf    # before the same test runs again",
    )
