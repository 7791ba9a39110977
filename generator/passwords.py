"""Values that look like credentials by what they are called: a guess, and told as one.

A name such as `DB_PASSWORD` says so of what stands under it, unless that merely stands for a
value, says where it is, or is a word.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from generator.document import Pointer

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SEPARATOR = re.compile(r"[^a-z0-9]+")
_IS_PASSWORD = re.compile(
    r"passw(?:or)?d$|(?:^|_)(?:pass|pwd|passphrase)$|(?:^|_)(?:api|client|app|jwt|aws|shared)_secret$"
)
_IS_KEY = re.compile(
    r"(?:^|_)(?:(?:secret|secret_access|private|account|storage|signing|encryption|access)_key"
    r"|api_?key|authorization)$"
)
# `token` as in `pad_token` is a word of tokenizers: of small letters only these are credentials.
_IS_TOKEN = re.compile(
    r"(?:^|_)(?:access|auth|api|bearer|refresh|hf|hub|huggingface|github|gitlab|session|wandb"
    r"|ngc|vault|slack|npm|pypi)_token$|^token$"
)
# What a report of changes hides: it may hide too much, where a guess must not alarm.
_STRICT = (
    r"pass(?:word|wd|phrase)?|token|api[_-]?key|access[_-]?key|private[_-]?key|secret[_-]?key"
    r"|signing[_-]?key|account[_-]?key|key[_-]?pass|client[_-]?secret"
)
# As text: most runs have no use for these, and to compile them takes a hundredth of a cold start.
_SUGGESTS = rf"(?i)(?:{_STRICT}|secret|credentials?)$"
_HOLDS = rf"(?i)(?:{_STRICT})$"
_HEADER = r"(?i)(?:proxy-)?authorization|(?:set-)?cookie|x-[\w-]*(?:key|token)"
# In capitals it is a variable's name, of which more are.
_IS_VARIABLE = re.compile(r"(?:[A-Z0-9]+_)*(?:SECRET|TOKEN)")
_OF_TEXTS = re.compile(
    r"(?:^|_)(?:PAD|EOS|BOS|UNK|SEP|CLS|MASK|END|START|STOP|IMAGE|SPECIAL|FIRST|LAST|NEXT)_TOKEN$"
)
_STANDS_FOR = (
    r"\$[A-Z_][A-Z0-9_]*|\$\(.*\)|\$\{.*\}|<.*>|\{\{.*\}\}|\[.*\]|%\(\w+\)s|%\w+%|\*\w+|\*+|x+|\.+|"
    # a path, a file, or a place of another program's
    r"(?:\.{0,2}|~)(?:/[\w.@-]+){2,}/?|\.{1,2}/\S+|~/\S+"
    r"|[\w.-]+\.(?:pem|key|json|ya?ml|crt|cer|p12|jks|txt|env)"
    r"|(?:vault|secret|env|file|ref\+\w+|sops|op|awssm|gcpsm):\S+|[a-z][a-z0-9+.-]*://[^\s@]+"
    # a key in a key store, a variable's name, and words
    r"|arn:\S+|(?:projects|alias)/\S+|"
    r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|(?:your|insert|replace|change|example|fake|dummy)[-_ ][\w -]+"
    r"|none|null|true|false|yes|no|on|off|auto|default|disabled?|enabled?|required|optional|unset"
    r"|empty|changeme|redacted|placeholder|todo|password|token|secret"
)
_WORDS = r"[A-Za-z]+(?:[_.-](?:[A-Za-z]+|\d{1,2}))*"  # of tokenizers and sessions
_NUMBER = r"-?\d{1,9}(?:\.\d+)?[a-z]{0,3}"  # that counts or limits something
# Names of objects, models and files are of words; what is made by chance is not.
_NAME = r"[a-z]+\d{0,3}(?:[-.](?:[a-z]+\d{0,3}|\d{1,3}))+"
_PATH = r"[A-Z]?[a-z][a-z0-9_.-]*(?:/[A-Z]?[a-z][a-z0-9_.-]*)+"
_ABBREVIATION = r"[A-Z]{2,8}"
_SENTENCE = r"[^\W\d]+(?: [^\W\d]+){2,}[.,!?]?"
_NAME_OF_OBJECT = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?"
_SCHEME = r"(?i)(?:bearer|basic|token) +"
_LARGEST_FLAG = 999  # a number of fewer digits is a setting
_LEAST_NUMBER = 10**9  # of a key or token: a smaller one counts or limits something
_LEAST = 4  # characters of a value that can be a password
_LEAST_TOKEN = 12  # of one under the mere key `token`
OPTION = re.compile(
    r"(?<![\w-])--?((?:[A-Za-z][\w-]*?)?(?:password|passwd|passphrase|secret|token|key))(?:=| +)"
    r"(\"[^\"]*\"?|'[^']*'?|[^\s\"',\]}]+)"
)
_OPTION_ALONE = re.compile(r"--?([A-Za-z][\w-]*)")


def is_password(name: str, value: object) -> bool:
    """Whether a value under this name looks like a credential itself."""
    if not (kind := _kind(name)) or isinstance(value, bool):
        return False
    if isinstance(value, int):
        is_sure = kind == "password"
        return value > _LARGEST_FLAG if is_sure else kind != "name" and value >= _LEAST_NUMBER
    if not isinstance(value, str):
        return False
    least = _LEAST_TOKEN if kind == "mere token" else _LEAST
    bare = re.sub(_SCHEME, "", value) if kind == "key" else value
    harmless = _HARMLESS[kind]
    # What ends in `secret` may name a Secret of the cluster, as a field of that name does.
    if name.lower().endswith("secret"):
        harmless += (_NAME,)
    return _is_value(bare, least) and not any(re.fullmatch(each, bare) for each in harmless)


_PLACE = rf"{_PATH}(?:/[A-Z]?[a-z][a-z0-9_.-]*)"
_HARMLESS: dict[str, tuple[str, ...]] = {
    "password": (_PLACE,),
    "key": (_NAME, _PATH, _ABBREVIATION),
    "token": (_WORDS, _NUMBER, _NAME, _PATH),
    "mere token": (_WORDS, _NUMBER, _NAME, _PATH),
    "variable": (_NAME, _PLACE),
    "name": (_NAME_OF_OBJECT,),
}


def suggests_secret(name: str) -> bool:
    """Whether what stands under a name may be a secret, so that a report does not tell it."""
    return bool(re.search(_SUGGESTS, name) or re.fullmatch(_HEADER, name) or _kind(name))


def holds_secret(name: str) -> bool:
    """Whether a field of a manifest with this name holds a secret, and does not only name one."""
    if name.startswith(("automount", "serviceAccount", "authorization")):
        return False
    return bool(re.search(_HOLDS, name)) or _kind(name) not in ("", "name", "variable")


@lru_cache(maxsize=4096)
def _kind(name: str) -> str:
    """What a name says of its value; nothing where it says nothing."""
    word = _SEPARATOR.sub("_", _CAMEL.sub("_", name).lower()).strip("_")
    is_variable = _IS_VARIABLE.fullmatch(name) is not None and not _OF_TEXTS.search(name)
    if _IS_PASSWORD.search(word):
        return "password"
    if _IS_KEY.search(word):
        return "key"
    if word == "token":
        return "mere token"
    if _IS_TOKEN.search(word) or (is_variable and word.endswith("token")):
        return "token"
    if is_variable:
        return "variable"
    return "name" if re.search(r"(?:^|_)secret$", word) else ""


def _is_value(text: str, least: int) -> bool:
    bare = text.strip()
    if len(bare) < least:
        return False
    is_spoken = re.fullmatch(_STANDS_FOR, bare) or re.fullmatch(_STANDS_FOR, bare.lower())
    return not is_spoken and not re.fullmatch(_SENTENCE, bare)


def option(text: str) -> tuple[str, str] | None:
    """A password among the arguments of a command, with the option's name."""
    if "-" not in text:
        return None
    for name, value in OPTION.findall(text):
        bare = value.strip("\"'")
        if is_password(name, bare):
            return f"--{name}", bare
    return None


Named = tuple[Pointer, str, str]
"""Where a value stands, what it is called, and the value."""


def named(value: object, at: Pointer = ()) -> list[Named]:
    """Values that look like credentials by their names, wherever they stand."""
    if isinstance(value, list):
        return _in_list(value, at)
    if isinstance(value, dict):
        return _in_map(value, at)
    found = option(value) if isinstance(value, str) else None
    return [(at, *found)] if found else []


def _in_list(values: list[object], at: Pointer) -> list[Named]:
    result: list[Named] = []
    before = ""
    for index, item in enumerate(values):
        # Two steps of a JSON patch add an option and its value, one after the other.
        argument: object = item
        below: Pointer = ()
        if isinstance(item, dict) and "op" in item and "value" in item:
            argument, below = item["value"], ("value",)
        if before and is_password(before, argument):
            result.append(((*at, index, *below), f"--{before}", str(argument)))
        else:
            result += named(item, (*at, index))
        alone = _OPTION_ALONE.fullmatch(argument) if isinstance(argument, str) else None
        before = alone[1] if alone else ""
    return result


def _in_map(values: dict[object, object], at: Pointer) -> list[Named]:
    result: list[Named] = []
    # A variable of a container, and a step of a JSON patch, say what their value is called.
    says = values.get("name") if "value" in values else None
    if isinstance(path := values.get("path"), str) and "op" in values:
        says = path.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
    for key, item in values.items():
        name = says if key == "value" and isinstance(says, str) else str(key)
        below: Pointer = (*at, str(key))
        found = list(_under(name, item, below)) if _kind(name) else []
        result += found or named(item, below)
    return result


def _under(name: str, item: object, at: Pointer) -> Iterator[Named]:
    """The value of a name, also where it is in a list or under `value`."""
    if isinstance(item, list):
        for index, each in enumerate(item):
            if is_password(name, each):
                yield (*at, index), name, str(each)
    elif isinstance(item, dict):
        if is_password(name, item.get("value")):
            yield (*at, "value"), name, str(item["value"])
    elif is_password(name, item):
        yield at, name, str(item)
