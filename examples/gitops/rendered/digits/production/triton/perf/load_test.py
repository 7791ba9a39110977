"""Load the service at a fixed rate with vegeta and hold the result against the objectives.

Waits until the service is ready and answers one request, warms it up, measures, prints vegeta's
JSON report (on one line) and its HDR histogram, and lets the gate decide. Exit status: 0 the
objectives are met, 1 they are not, 2 there is no valid measurement.
"""

import argparse
import http.client
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType

import gate
import payload

POLL_SECONDS = 2


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    # The first process of a container gets no default handlers: without one, SIGTERM is ignored.
    signal.signal(signal.SIGTERM, stop)
    try:
        return run(options)
    except (gate.NoMeasurement, OSError, subprocess.CalledProcessError) as failure:
        print(f"no measurement: {failure}")
        return gate.NO_MEASUREMENT


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(parents=[gate.limits()], allow_abbrev=False)
    parser.add_argument("--url", required=True)
    parser.add_argument("--readiness-url", required=True)
    parser.add_argument("--wait", required=True, help="longest wait for the service")
    parser.add_argument("--warm-up", required=True)
    parser.add_argument("--timeout", required=True, help="longest wait for one answer")
    parser.add_argument("--cpus", required=True, type=int)
    parser.add_argument("--results", required=True, type=Path, help="folder for the reports")
    return parser.parse_args(arguments)


def stop(number: int, _: FrameType | None) -> None:
    """End the program, and with it the vegeta that it waits for."""
    print("stopped")
    sys.exit(128 + number)


def run(options: argparse.Namespace) -> int:
    headers, body = payload.request()
    request = urllib.request.Request(options.url, body, headers)
    wait_until_answering(request, options)
    targets = write_targets(options, headers, body)
    print(f"warming up for {options.warm_up} at {options.rate} requests/s")
    attack(options, targets, options.warm_up, options.results / "warm_up.bin")
    measured = options.results / "measured.bin"
    print(f"measuring for {options.duration} at {options.rate} requests/s")
    attack(options, targets, options.duration, measured)
    histogram = report("hdrplot", measured, options.results / "histogram.txt")
    summary = report("json", measured, options.results / "report.json")
    print("latency histogram, to be plotted by https://hdrhistogram.github.io/HdrHistogram/")
    print(histogram)
    print(summary.strip())
    return gate.decide(summary, options)


def wait_until_answering(request: urllib.request.Request, options: argparse.Namespace) -> None:
    """Wait until the service says that it is ready and has answered one request of the test."""
    timeout = gate.nanoseconds(options.timeout) / 1e9
    deadline = time.monotonic() + gate.nanoseconds(options.wait) / 1e9
    print(f"waiting up to {options.wait} for {options.readiness_url}")
    reported = ""
    while obstacle := unanswered(options.readiness_url, timeout) or unanswered(request, timeout):
        if obstacle != reported:
            print(obstacle)
            reported = obstacle
        if time.monotonic() + POLL_SECONDS > deadline:
            raise gate.NoMeasurement(f"not ready after {options.wait}: {obstacle}")
        time.sleep(POLL_SECONDS)


def unanswered(request: str | urllib.request.Request, timeout: float) -> str:
    """Send a request and say why it was not answered; nothing when it was."""
    url = request if isinstance(request, str) else request.full_url
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            response.read()
    except urllib.error.HTTPError as error:
        text = error.read(500).decode(errors="replace")
        # A service that is still starting answers 404 or 503 to its readiness URL, but a body
        # that it has read and refused stays refused.
        if not isinstance(request, str) and error.code < 500:
            raise gate.NoMeasurement(f"{url} answers {error.code}: {text}") from error
        return f"{url} answers {error.code}: {text}"
    except (OSError, http.client.HTTPException) as error:
        return f"{url}: {error!r}"
    return ""


def write_targets(options: argparse.Namespace, headers: dict[str, str], body: bytes) -> Path:
    """Write the request in the form that `vegeta attack` reads."""
    body_file = options.results / "body"
    body_file.write_bytes(body)
    lines = [f"POST {options.url}", *(f"{name}: {text}" for name, text in headers.items())]
    targets: Path = options.results / "targets.txt"
    targets.write_text("\n".join([*lines, f"@{body_file}", ""]))
    return targets


def attack(options: argparse.Namespace, targets: Path, duration: str, output: Path) -> None:
    """Send the request at the rate, however slowly the service answers."""
    subprocess.run(
        [
            "vegeta",
            # Its default is every core of the node, and it would be throttled at the limit.
            f"-cpus={options.cpus}",
            "attack",
            f"-targets={targets}",
            f"-rate={options.rate}/1s",
            f"-duration={duration}",
            f"-timeout={options.timeout}",
            # A redirect (to a log-in page, say) is a failure.
            "-redirects=0",
            # Read the answers, but do not keep them.
            "-max-body=0",
            f"-output={output}",
        ],
        check=True,
    )


def report(kind: str, measured: Path, output: Path) -> str:
    subprocess.run(["vegeta", "report", f"-type={kind}", f"-output={output}", measured], check=True)
    return output.read_text()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
