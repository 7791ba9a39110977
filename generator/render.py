"""Fill templates: the only module that knows Jinja2."""

import hashlib
import os
import sys
from collections.abc import Callable
from functools import cache, partial

import jinja2
import jinja2.bccache
import jinja2.compiler

from generator import bytecode
from generator.artefact import Artefact, RenderedFile
from generator.quoting import FORMATS, Quote, Verbatim, format_of
from generator.shipped import shipped

TemplateError = jinja2.TemplateError
"""What a template raises for which the plan has forgotten a value."""


def render(artefact: Artefact) -> RenderedFile:
    """The artefact's text; every value is quoted for the format of its file."""
    template = _environment(format_of(artefact.path)).get_template(artefact.template)
    return RenderedFile(artefact.path, template.render(artefact.values), artefact.executable)


@cache
def _environment(format_name: str) -> jinja2.Environment:
    """Templates of one output format.

    `finalize` sees the value of every expression, so that a forgotten filter cannot become an
    injection; `{{ value | verbatim }}` is the exception, `{{ value | shell }}` and the like
    quote for a text of another format inside this one.
    """
    environment = jinja2.Environment(  # noqa: S701  no HTML is made; finalize quotes everything
        loader=_Templates(shipped("templates")),
        undefined=jinja2.StrictUndefined,
        finalize=_quoting(FORMATS[format_name]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        optimized=False,  # or a filter's answer to a constant would be kept as code
        bytecode_cache=_Kept(),
    )
    environment.filters = {name: partial(_filtered, quote) for name, quote in FORMATS.items()}
    environment.filters["verbatim"] = Verbatim
    environment.globals.clear()  # no template calls any, and they would be copied for each
    # Jinja2's own cache has a lock and a limit, and takes as long as a small template to fill.
    environment.get_template = cache(environment.get_template)  # type: ignore[method-assign]
    return environment


def _quoting(quote: Quote) -> Callable[[object, object], str]:
    """What quotes every value, when a template is filled.

    Without `pass_eval_context` Jinja2 quotes constants when it compiles. So the code of a template
    is the same for every format, and holds nothing of `quoting`.
    """

    @jinja2.pass_eval_context
    def quoted(_context: object, value: object) -> str:
        if isinstance(value, Verbatim):
            return value
        if isinstance(value, jinja2.Undefined):
            return str(value)  # raises, naming the value that the plan forgot
        return quote(value)

    return quoted


def _filtered(quote: Quote, value: object) -> Verbatim:
    return Verbatim(quote(value))


class _Templates(jinja2.FileSystemLoader):
    """Templates that are called by their names in code that several checkouts share."""

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        source, _, is_current = super().get_source(environment, template)
        return source, f"templates/{template}", is_current


class _Kept(jinja2.BytecodeCache):
    """Compiled templates of earlier runs: to compile those of one target takes 100 ms."""

    def load_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        bucket.code = bytecode.load(_name(bucket))

    def dump_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        assert bucket.code is not None
        bytecode.keep(_name(bucket), bucket.code)

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        return super().get_cache_key(name)  # one for all formats and checkouts


def _name(bucket: jinja2.bccache.Bucket) -> str:
    """All that the code of a template depends on: compiler and settings, name, source."""
    each = bucket.environment
    parts = (_COMPILER, each.trim_blocks, each.lstrip_blocks, each.keep_trailing_newline)
    made_by = hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
    return f"{made_by}-{bucket.key}-{bucket.checksum}"


_SOURCE = os.stat(jinja2.compiler.__file__)
_COMPILER = (sys.version, jinja2.__version__, _SOURCE.st_size, _SOURCE.st_mtime_ns)
"""Which Python and Jinja2 compile here; a file told by size and time, as Python does."""
