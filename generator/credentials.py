"""Find credentials in text: what was committed once stays in the history of a repository.

Tokens are known by the prefixes that their makers gave them to be found by. `passwords` guesses
from names.
"""

import re
from pathlib import Path

from generator import reads
from generator.passwords import option

_WORD = r"[A-Za-z0-9_-]"
# The first character of every branch is a literal: the search jumps from one to the next.
_KINDS = {
    "a private key": r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY",
    # docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html, unique identifiers
    # Not within base64; as the user of an URL it stands behind slashes.
    "an AWS access key": r"A(?:KIA|SIA|BIA|CCA)(?:(?<![A-Za-z0-9+/]A...)|(?<=://A...))[A-Z0-9]{16}"
    r"(?![A-Za-z0-9+/])",
    "a service account's key": r'"private_key(?:_id)?"\s*:\s*"[^"]',
    "a Google API key": r"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])",
    "a Google access token": r"ya29\.[A-Za-z0-9_-]{20}",
    "a Hugging Face token": r"(?:hf_[A-Za-z0-9]{34}|api_org_[A-Za-z0-9]{34})(?![A-Za-z0-9])",
    "a GitHub token": r"(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})",
    "a GitLab token": r"gl(?:pat|dt|rt|ptt|cbt|imt|ft|oas|agent|soat)-[A-Za-z0-9_-]{20}",
    "a Slack token": r"xox[abeoprs]-[0-9A-Za-z-]{10}",
    "a Slack webhook": r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/]{20}",
    "a JSON web token": rf"eyJ(?<!{_WORD}eyJ){_WORD}{{8,4000}}\.eyJ{_WORD}{{8,8000}}\.{_WORD}*",
    "an NVIDIA API key": r"nvapi-[A-Za-z0-9_-]{40}",
    "a Docker token": r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{20}",
    "an npm token": r"npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])",
    "a package index token": r"pypi-AgE[A-Za-z0-9_-]{50}",
    "a Vault token": r"hv[sbr]\.[A-Za-z0-9_-]{24}",
    "a Databricks token": r"dapi[0-9a-f]{32}(?![0-9a-f])",
    "an OpenAI key": rf"sk-{_WORD}{{0,80}}T3BlbkFJ{_WORD}{{20}}",
    "an Anthropic key": rf"sk-ant-{_WORD}{{24}}",
    "a Stripe key": r"[rs]k_live_[0-9A-Za-z]{24}",
    "a SendGrid key": rf"SG\.{_WORD}{{22}}\.{_WORD}{{43}}",
    "a DigitalOcean token": r"do[opr]_v1_[0-9a-f]{64}",
    "a storage account's key": r"(?:Account|SharedAccess)Key=[A-Za-z0-9+/]{20}",
    # An URL with user and password; `//user:$PASSWORD@` and its like only stand for one, and in
    # `s3://bucket:a@b` there are no users.
    "a password in an URL": r"://(?<!\bs3://)(?<!\bgs://)[^\s/?#:@]{0,200}:(?![$<{%*]|x+@)"
    r"(?!(?:pass(?:word)?|pwd|secret|token)@)[^\s/?#@]{1,1000}@",
    "a signed URL": r"[?&](?:(?:X-(?:Amz|Goog)-Signature|X-Amz-Security-Token|sig)="
    r"[A-Za-z0-9%+/_=.-]{16}|Signature=(?:[A-Za-z0-9%+/=]{24}|[A-Za-z0-9_~-]{60}))",
}
# Each kind has one of these in it. Most texts have none, and finding that out takes 1 us a mark.
_MARKS = (
    *("PRIVATE KEY", "private_key", "AKIA", "ASIA", "ABIA", "ACCA", "AIza", "ya29.", "hf_"),
    *("api_org_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "gldt-"),
    *("glrt-", "glptt-", "glcbt-", "glimt-", "glft-", "gloas-", "glagent-", "glsoat-", "xox"),
    *("hooks.slack.com", "eyJ", "nvapi-", "dckr_", "npm_", "pypi-", "hvs.", "hvb.", "hvr."),
    *("dapi", "T3BlbkFJ", "sk-ant-", "k_live_", "SG.", "_v1_", "Key=", "@", "ignature=", "sig="),
    "Security-Token=",
)
# As text: it takes a hundredth of a cold start to compile, and most texts have none of the marks.
_ANY = "|".join(f"({pattern})" for pattern in _KINDS.values())
_NAMES = tuple(_KINDS)
# To the end of what it began: kinds are known by their beginnings.
_TO_ITS_END = rf"(?:{'|'.join(_KINDS.values())})[^\s\"'`,}}\]]*"
_MOST_BYTES = 1_000_000


def kind(text: str) -> str | None:
    """What credential a text holds, with its article; None where it holds none that is known."""
    found = re.search(_ANY, text)
    return _NAMES[found.lastindex - 1] if found and found.lastindex else None


def in_file(path: Path) -> list[tuple[int, str]]:
    """The lines of a file that hold a credential, counted from 1, and what; none where unreadable.

    What is larger than source code ever is, is data, and passed over.
    """
    try:
        if reads.size(path) > _MOST_BYTES:
            return []
        lines = reads.read_text(path, "utf-8").splitlines()
    except (OSError, ValueError):  # ValueError: not UTF-8, or a path that no file can have
        return []
    found = ((number, _in_line(line)) for number, line in enumerate(lines, start=1))
    return [(number, what) for number, what in found if what]


def _in_line(line: str) -> str | None:
    return kind(line) or ("a password among arguments" if option(line) else None)


def starred(text: str) -> str:
    """The text with stars for every credential that is of a known kind."""
    if not any_in([text]):
        return text
    return re.sub(_TO_ITS_END, lambda found: "*" * len(found[0]), text)


def any_in(texts: list[str]) -> bool:
    """Whether one of many texts may hold a credential: looked for all at once, and quickly."""
    joined = "\n".join(texts)
    return any(mark in joined for mark in _MARKS) and re.search(_ANY, joined) is not None
