"""Fill templates: the only module that knows Jinja2."""

from functools import cache, partial

import jinja2

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
        loader=jinja2.FileSystemLoader(shipped("templates")),
        undefined=jinja2.StrictUndefined,
        finalize=partial(_quoted, FORMATS[format_name]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters = {name: partial(_filtered, quote) for name, quote in FORMATS.items()}
    environment.filters["verbatim"] = Verbatim
    return environment


def _quoted(quote: Quote, value: object) -> str:
    if isinstance(value, jinja2.Undefined):
        return str(value)  # raises, naming the value that the plan forgot
    return value if isinstance(value, Verbatim) else quote(value)


def _filtered(quote: Quote, value: object) -> Verbatim:
    return Verbatim(quote(value))
