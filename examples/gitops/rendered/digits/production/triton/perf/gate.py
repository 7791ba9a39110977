"""Hold a JSON report of vegeta against the service level objectives.

    python3 gate.py --rate=100 --duration=60s --p99=10ms --success-ratio=0.999 report.json

Exit status: 0 the objectives are met, 1 they are not, 2 the report is no valid measurement.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

MET, MISSED, NO_MEASUREMENT = 0, 1, 2

# vegeta sends at its rate whatever the service does: clearly fewer requests mean that the load
# generator could not keep up, and then the latencies are its own.
LEAST_SENT = 0.95

NANOSECONDS = {"us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


class NoMeasurement(Exception):
    """There is nothing to hold against the objectives."""


@dataclass(frozen=True)
class Report:
    requests: int
    attack_nanoseconds: int
    latency_nanoseconds: dict[str, int]
    success_ratio: float
    status_codes: dict[str, int]
    errors: list[str]


@dataclass(frozen=True)
class Check:
    name: str
    limit: str
    measured: str
    met: bool


def limits() -> argparse.ArgumentParser:
    """Describe what a report is held against; a parent for the parsers of the programs."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--rate", required=True, type=int, help="requests per second asked for")
    parser.add_argument("--duration", required=True, help="duration asked for, such as 60s")
    parser.add_argument("--p50", help="largest median latency, such as 10ms")
    parser.add_argument("--p95", help="largest 95th percentile of latency")
    parser.add_argument("--p99", help="largest 99th percentile of latency")
    parser.add_argument("--success-ratio", required=True, type=float)
    return parser


def nanoseconds(duration: str) -> int:
    unit = duration.lstrip("0123456789")
    return int(duration.removesuffix(unit)) * NANOSECONDS[unit]


def decide(text: str, options: argparse.Namespace) -> int:
    """Judge a report, print the verdict and give the exit status."""
    try:
        report = read(text)
        check_sent(report, options)
    except NoMeasurement as failure:
        print(f"no measurement: {failure}")
        return NO_MEASUREMENT
    checks = judge(report, options)
    for check in checks:
        verdict = "met" if check.met else "MISSED"
        print(f"{check.name:<14} {check.limit:>12} {check.measured:>14}  {verdict}")
    print("answers by status code (0: none):", report.status_codes)
    for error in report.errors[:10]:
        print("error:", error)
    return MET if all(check.met for check in checks) else MISSED


def read(text: str) -> Report:
    """Read what `vegeta report -type=json` writes."""
    try:
        found = json.loads(text)
        latencies = found["latencies"]
        report = Report(
            requests=int(found["requests"]),
            attack_nanoseconds=int(found["duration"]),
            latency_nanoseconds={
                "p50": int(latencies["50th"]),
                "p95": int(latencies["95th"]),
                "p99": int(latencies["99th"]),
            },
            success_ratio=float(found["success"]),
            status_codes=dict(found["status_codes"]),
            errors=list(found["errors"]),
        )
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise NoMeasurement(f"not a JSON report of vegeta: {error!r}") from error
    if report.requests < 1:
        raise NoMeasurement("no request was sent")
    return report


def check_sent(report: Report, options: argparse.Namespace) -> None:
    """Refuse a run in which the load generator did not keep the rate.

    One request more or less is a matter of when the clock is read.
    """
    asked, taken = nanoseconds(options.duration), report.attack_nanoseconds
    expected = options.rate * max(asked, taken) / 1e9
    if report.requests + 1 < LEAST_SENT * expected:
        raise NoMeasurement(
            f"{report.requests} requests were sent in {taken / 1e9:.1f} s instead of "
            f"{expected:.0f}: give the load generator more CPU, or lower the rate"
        )


def judge(report: Report, options: argparse.Namespace) -> list[Check]:
    """Hold each figure that has a limit against it."""
    checks = [
        Check(
            "success ratio",
            f">= {options.success_ratio}",
            f"{report.success_ratio:.6g}",
            report.success_ratio >= options.success_ratio,
        )
    ]
    for name, measured in report.latency_nanoseconds.items():
        limit = getattr(options, name)
        if limit is not None:
            met = measured <= nanoseconds(limit)
            checks.append(Check(name, f"<= {limit}", f"{measured / 1e6:.6g}ms", met))
    return checks


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(parents=[limits()])
    parser.add_argument("report", type=Path)
    options = parser.parse_args(arguments)
    return decide(options.report.read_text(), options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
