"""Stand-in for vegeta: `attack` and `report` with the options that the load test uses.

As in vegeta, an answer of 200 to 399 is a success, 0 is the status of a request without answer,
and times in the JSON report are nanoseconds.
"""

import argparse
import concurrent.futures
import json
import math
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def seconds(text: str) -> float:
    for unit, size in (("us", 1e-6), ("ms", 1e-3), ("s", 1), ("m", 60), ("h", 3600)):
        if text.endswith(unit) and text.removesuffix(unit).isdigit():
            return int(text.removesuffix(unit)) * size
    raise ValueError(text)


def attack(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("-targets", required=True, type=Path)
    parser.add_argument("-rate", required=True)
    parser.add_argument("-duration", required=True, type=seconds)
    parser.add_argument("-timeout", required=True, type=seconds)
    parser.add_argument("-redirects", required=True, type=int)
    parser.add_argument("-max-body", required=True, type=int)
    parser.add_argument("-output", required=True, type=Path)
    options = parser.parse_args(arguments)
    if "FAKE_VEGETA_PID" in os.environ:
        Path(os.environ["FAKE_VEGETA_PID"]).write_text(str(os.getpid()))
    rate = int(options.rate.removesuffix("/1s"))
    hits = int(rate * options.duration * float(os.environ.get("FAKE_VEGETA_KEEPS", "1")))
    with concurrent.futures.ThreadPoolExecutor(max_workers=16) as workers:
        start = time.time()
        sent = []
        for hit in range(hits):
            time.sleep(max(0.0, start + hit / rate - time.time()))
            sent.append(workers.submit(send, options.targets, options.timeout))
    options.output.write_text("\n".join(json.dumps(result.result()) for result in sent))


def send(targets: Path, timeout: float) -> dict[str, object]:
    first, *rest = targets.read_text().splitlines()
    method, url = first.split(" ", 1)
    headers = dict(line.split(": ", 1) for line in rest if not line.startswith("@"))
    [body] = [Path(line[1:]).read_bytes() for line in rest if line.startswith("@")]
    opener = urllib.request.build_opener(NoRedirect)
    began = time.time()
    error = ""
    try:
        request = urllib.request.Request(url, body, headers, method=method)
        with opener.open(request, timeout=timeout) as response:
            response.read()
            code = response.status
    except urllib.error.HTTPError as failure:
        redirected = failure.code < 400
        code = 0 if redirected else failure.code
        error = "stopped after 0 redirects" if redirected else f"{code} {failure.reason}"
    except OSError as failure:
        code, error = 0, str(failure)
    return {"at": began, "code": code, "latency": time.time() - began, "error": error}


def report(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("-type", required=True, choices=["json", "hdrplot"])
    parser.add_argument("-output", required=True, type=Path)
    parser.add_argument("results", type=Path)
    options = parser.parse_args(arguments)
    results = [json.loads(line) for line in options.results.read_text().splitlines()]
    latencies = sorted(int(result["latency"] * 1e9) for result in results) or [0]
    if options.type == "hdrplot":
        rows = [f"{latencies[0] / 1e6:.6f}  0.000000  0  1.000000"]
        options.output.write_text("\n".join(["Value(ms)  Percentile  TotalCount", *rows, ""]))
        return
    times = [result["at"] for result in results] or [0]
    codes = [result["code"] for result in results]
    figures = {
        "latencies": {
            f"{share}th": latencies[math.ceil(share / 100 * len(latencies)) - 1]
            for share in (50, 90, 95, 99)
        },
        "duration": int((max(times) - min(times)) * 1e9),
        "requests": len(results),
        "success": sum(200 <= code < 400 for code in codes) / max(1, len(codes)),
        "status_codes": {str(code): codes.count(code) for code in sorted(set(codes))},
        "errors": sorted({result["error"] for result in results} - {""}),
    }
    options.output.write_text(json.dumps(figures) + "\n")


if __name__ == "__main__":
    command, *arguments = [text for text in sys.argv[1:] if not text.startswith("-cpus=")]
    {"attack": attack, "report": report}[command](arguments)
