"""gen lock: tags of images to digests."""

import os
import ssl
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import click
from msgspec import Struct, field

from generator import atomic, image_lock, reporting
from generator.commands.common import (
    COULD_NOT_RUN,
    DONE,
    REFUSED,
    files_completed,
    specs_argument,
)
from generator.diagnostics import CannotRun, Rejected
from generator.images import reference
from generator.inputs import STANDARD_INPUT, Input
from generator.locking import Change, Needs, after, changes, lock_of, used_by
from generator.pipeline import Build
from generator.reporting import Reporter, counted
from generator.runs.builds import build_all
from generator.selection import EVERYTHING
from generator.specs import find_specs

SHOWN_DIGITS = 12  # of a digest, as docker shows it
_NEEDS = "gen lock needs python-dxf: pip install 'serving-generator[lock]', or give --from FILE"


@click.command()
@specs_argument
@click.option("--update", is_flag=True, help="Look up the images that are locked already, too.")
@click.option("--prune", is_flag=True, help="Drop entries that none of these specs uses.")
@click.option("--check", is_flag=True, help="Write nothing; fail where an image is not locked.")
@click.option(
    "--from",
    "given",
    metavar="FILE",
    help="Take digests from a lock, or from lines `IMAGE DIGEST`, and ask no registry; - is stdin.",
    shell_complete=files_completed,
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True, max=3600),
    default=20,
    show_default=True,
    metavar="SECONDS",
    help="How long a registry may be silent.",
)
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Certificates to trust in place of the usual; else SSL_CERT_FILE or REQUESTS_CA_BUNDLE.",
)
@click.option(
    "--insecure-registry",
    "insecure",
    multiple=True,
    metavar="HOST",
    help="Ask this registry by http, without TLS and without a login; repeatable.",
)
def lock(
    paths: Sequence[str],
    update: bool,
    prune: bool,
    check: bool,
    given: str | None,
    timeout: float,
    ca: str | None,
    insecure: Sequence[str],
) -> int:
    """Write images.lock: the digest of every image that the specs' files name by a tag.

    SPEC is a file, a folder (all YAML files in it with a `spec_version` key), or - for stdin. The
    nearest images.lock upward of a spec is its lock; where there is none, one is made in the
    working folder, or else beside the spec. What is locked stays, unless --update is given.

    Logins are those of docker and podman. Exit status 1: an image is not in its registry, or a spec
    has errors; 2: a registry does not answer. What could be found is written in any case.
    """
    if check and (update or given is not None):
        raise click.UsageError("--check looks nothing up: leave out --update and --from")
    if given == STANDARD_INPUT and STANDARD_INPUT in paths:
        raise click.UsageError("both SPEC and --from are stdin: name a file for one of them")
    hosts = frozenset(map(_host, insecure))
    held = None if given is None else _held(given)
    needs, status = _needs(paths)
    if prune and status:
        raise CannotRun("nothing pruned: what the specs above use is not known")
    if check:
        return max([status, *(_check(each, prune=prune) for each in needs)])
    asking = _Asking(timeout, ca, hosts)
    for each in needs:
        wanted = sorted(each.images) if update else each.missing
        if held is None:
            found = asking.digests(wanted)
        else:
            found = {name: held[name] for name in wanted if name in held}
            status = max(status, _left_out(wanted, found, str(given)))
        _write(each, changes(each, found, prune=prune))
    return max(status, asking.finish())


def _held(given: str) -> Mapping[str, str]:
    """The digests of --from; what is wrong in the file is told as of a lock."""
    source = Input(given)
    try:
        return image_lock.listed(source.shown, source.read(), source.folder)
    except Rejected as rejected:
        Reporter().add(*rejected.diagnostics)
        raise CannotRun(f"{source.shown} cannot be taken for digests") from None


def _needs(paths: Sequence[str]) -> tuple[list[Needs], int]:
    """The locks of the specs with what each has to hold, and the status of specs that fail."""
    locks: dict[Path, Needs] = {}
    status, reporter = DONE, Reporter()
    with reporting.Progress() as progress:
        for spec, outcome in build_all(find_specs(paths), EVERYTHING, progress.show):
            progress.clear()
            if isinstance(outcome, Build):
                found, is_new = lock_of(spec.folder)
                needs = locks.setdefault(found.path.resolve(), Needs(found, is_new))
                needs.images |= used_by(outcome)
            elif isinstance(outcome, Rejected):
                reporter.add(*outcome.diagnostics)
                status = max(status, REFUSED)
            else:
                reporter.fail(outcome)
                status = max(status, COULD_NOT_RUN)
    return list(locks.values()), status


def _check(needs: Needs, *, prune: bool) -> int:
    path = _shown(needs)
    for image in needs.missing:
        reporting.print_note(f"{path}: {image} is not locked")
    unused = needs.unused if prune else []
    for image in unused:
        reporting.print_note(f"{path}: {image} is locked, and none of these specs uses it")
    if needs.missing or unused:
        return REFUSED
    click.echo(f"{path}: {counted(len(needs.images), 'image')}, all locked")
    return DONE


def _host(word: str) -> str:
    """The host of --insecure-registry; raises UsageError for an address."""
    host = word.removeprefix("http://").removesuffix("/")
    if not host or "/" in host:
        such = urlsplit(word).netloc or word.partition("/")[0] or "localhost:5000"
        hint = f"such as {such}, without a scheme or a path"
        raise click.UsageError(f"--insecure-registry takes a host, {hint}")
    return host


def _left_out(wanted: Sequence[str], found: Mapping[str, str], given: str) -> int:
    """Tell which images a file has no digest for."""
    lacking = [name for name in wanted if name not in found]
    for image in lacking:
        reporting.print_note(f"{image} is not in {given}")
    return REFUSED if lacking else DONE


def _write(needs: Needs, changed: Sequence[Change]) -> None:
    """Write the lock where it changes, and say how."""
    path = _shown(needs)
    if changed:
        entries = after(needs, changed)
        atomic.write(needs.lock.path, image_lock.text(entries).encode())
        click.echo(f"{path}: {counted(len(entries), 'image')}, {_counts(changed)}")
        for change in changed:
            click.echo(_line(change))
    elif not needs.is_new:
        click.echo(f"{path}: {counted(len(needs.lock.digests), 'image')}, unchanged")
    elif not needs.images:
        click.echo(f"{path}: not made, there is no image to lock")


def _counts(changed: Sequence[Change]) -> str:
    numbers = {
        "added": sum(change.old is None for change in changed),
        "changed": sum(None not in (change.old, change.new) for change in changed),
        "removed": sum(change.new is None for change in changed),
    }
    return ", ".join(f"{number} {word}" for word, number in numbers.items() if number)


def _line(change: Change) -> str:
    mark = "+" if change.old is None else "-" if change.new is None else "~"
    digests = " -> ".join(_short(each) for each in (change.old, change.new) if each)
    return f"{mark} {change.image}  {digests}"


def _short(digest: str) -> str:
    return digest[: len("sha256:") + SHOWN_DIGITS]


def _shown(needs: Needs) -> str:
    return os.path.relpath(needs.lock.path)


class _Asking(Struct):
    """Asks registries; `status` is the worst of what they have answered.

    `silent` are hosts that have given no answer, with how many images were not asked for then.
    """

    timeout: float
    ca: str | None
    insecure: frozenset[str]
    status: int = DONE
    silent: dict[str, int] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)

    def digests(self, names: Sequence[str]) -> dict[str, str]:
        """The digests of images, those left out that cannot be had, which is told."""
        if not names:
            return {}
        return dict(self._found(names))

    def _found(self, names: Sequence[str]) -> Iterator[tuple[str, str]]:
        try:
            from generator.registry import asking
        except ImportError:
            raise CannotRun(_NEEDS) from None
        trusted = self.ca or _bundle()
        _refuse_no_certificates(trusted)
        settings = asking.Settings(
            self.timeout, trusted, self.insecure, report=reporting.show_step, note=self._note
        )
        for done, name in enumerate(names):
            reporting.show_progress(done, len(names), "images")
            image = reference(name)
            assert image is not None  # a full name is one
            if image.host in self.silent:
                self.silent[image.host] += 1
                continue
            try:
                yield name, asking.digest(image, settings)
            except asking.NotThere as error:
                self._tell(f"{error}: push it, and run this again", REFUSED)
            except asking.Refused as error:
                self._tell(str(error), COULD_NOT_RUN)
            except asking.Unreachable as error:
                self._tell(str(error), COULD_NOT_RUN)
                self.silent[image.host] = 0
        reporting.clear_progress()

    def finish(self) -> int:
        """Tell what was not asked for, and give the status."""
        for host, number in self.silent.items():
            if number:
                reporting.print_note(f"{counted(number, 'more image')} of {host} not asked for")
        return self.status

    def _tell(self, message: str, status: int) -> None:
        self._note(message)
        self.status = max(self.status, status)

    def _note(self, message: str) -> None:
        """Print what has not been said of another image."""
        if message not in self.told:
            self.told.add(message)
            reporting.clear_progress()
            reporting.print_note(message)


def _refuse_no_certificates(path: str | None) -> None:
    """Raise CannotRun for a file that nobody could be trusted by; a registry has no part in it."""
    if path is None:
        return
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        raise CannotRun(f"{path} holds no certificates in PEM") from None
    except OSError as error:
        raise CannotRun(f"cannot read {path}: {error.strerror}") from None


def _bundle() -> str | None:
    """The certificates of SSL_CERT_FILE; the variables of requests are read by itself."""
    if os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE"):
        return None
    return os.environ.get("SSL_CERT_FILE") or None
