"""How fast `check` judges, and in how much memory: `python tests/benchmarks/bench_check.py [EXCHANGES …]`.

Makes HARs of lifecycles (create, deploy, status, infer, undeploy), each pipeline its own, and runs the command on each
in a process of its own. Prints exchanges, file size, seconds, CPU seconds, exchanges a CPU second and peak memory
(resident, of that process); wall time is of the machine, CPU time of the program.
`--padding BYTES` adds so much to each inference, for HARs of hundreds of megabytes.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BASE = "https://bench.api.acme.dev"
START = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
ANSWERED = [
    {"name": "Content-Type", "value": "application/json"},
    {"name": "Date", "value": "Mon, 01 Jan 2024 00:00:00 GMT"},
]
ROW = [round(0.1 * number, 4) for number in range(29)]


def lifecycle(n: int, padding: int) -> Iterator[tuple[str, Any, Any, str]]:
    """(path, question, answer, media type) of one pipeline's life in ten exchanges."""
    name, version = f"pipeline-{n}", f"00000000-0000-4000-8000-{n:012}"
    create = {"pipeline_id": name, "workspace_id": 10, "definition": {}}
    made = {"pipeline_pk_id": 2 * n, "pipeline_variant_pk_id": 3 * n, "pipeline_variant_version": version}
    deploy = {"deploy_id": name, "pipeline_id": 2 * n, "pipeline_version_pk_id": 3 * n}
    pod = {"ip": "10.0.0.1", "name": f"engine-{n}", "status": "Running", "reason": None, "details": []}
    engine = pod | {
        "pipeline_statuses": {"pipelines": [{"id": name, "status": "Running"}]},
        "model_statuses": {"models": []},
    }
    status = {
        "status": "Running",
        "details": [],
        "engines": [engine],
        "engine_lbs": [pod | {"name": f"engine-lb-{n}"}],
        "sidekicks": [],
    }
    path = f"/v1/api/pipelines/infer/{name}-{n}/{name}"
    model = json.dumps({"model_name": "m", "model_sha": "0" * 64})
    metadata = {
        "last_model": model,
        "pipeline_version": "",
        "elapsed": [1, 2],
        "dropped": [],
        "partition": f"engine-{n}",
    }
    record = {
        "time": 1704103200000 + n,
        "in": {"x": ROW},
        "out": {"y": [0.5]},
        "check_failures": [],
        "metadata": metadata,
    }
    record |= {"padding": "x" * padding}
    yield "/v1/api/pipelines/create", create, made, "application/json"
    yield "/v1/api/pipelines/deploy", deploy, {"id": n}, "application/json"
    yield "/v1/api/pipelines/deploy", deploy, {"id": n}, "application/json"
    yield "/v1/api/status/get_deployment", {"name": f"{name}-{n}"}, status, "application/json"
    url = {"workspace_id": 10, "pipeline_name": name}
    yield "/v1/api/admin/get_pipeline_external_url", url, {"url": BASE + path}, "application/json"
    for _ in range(4):
        yield path, [{"x": ROW}], [record], "application/json; format=pandas-records"
    yield "/v1/api/pipelines/undeploy", {"pipeline_id": 2 * n, "deployment_id": n}, None, "application/json"


def write(path: Path, count: int, padding: int) -> None:
    """A HAR of `count` exchanges, 20 ms apart."""
    with path.open("w", encoding="utf-8") as file:
        file.write('{"log": {"version": "1.2", "creator": {"name": "bench", "version": "1"}, "entries": [')
        for number in range(count):
            if number % 10 == 0:
                life = list(lifecycle(number // 10 + 1, padding))
            place, question, answer, kind = life[number % 10]
            sent, came = json.dumps(question), json.dumps(answer)
            headers = [{"name": "Content-Type", "value": kind}]
            start = START + datetime.timedelta(milliseconds=20 * number)
            post = {"mimeType": kind, "text": sent}
            content = {"size": len(came), "mimeType": "application/json", "text": came}
            entry = {
                "startedDateTime": start.isoformat(),
                "time": 5,
                "request": {"method": "POST", "url": BASE + place, "headers": headers, "postData": post},
                "response": {"status": 200, "headers": ANSWERED, "content": content},
            }
            file.write(("," if number else "") + json.dumps(entry))
        file.write("]}}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("exchanges", nargs="*", type=int, default=[1_000, 10_000, 20_000, 40_000])
    parser.add_argument("--padding", type=int, default=0)
    options = parser.parse_args()
    print(f"{'exchanges':>10} {'MB':>7} {'s':>7} {'CPU s':>7} {'a CPU s':>9} {'peak MB':>8}  exit")
    with tempfile.TemporaryDirectory() as folder:
        for count in options.exchanges:
            path = Path(folder) / f"{count}.har"
            write(path, count, options.padding)
            began = time.perf_counter()
            command = [sys.executable, "-c", RUN, str(path)]
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            seconds = time.perf_counter() - began
            cpu, peak = (float(figure) for figure in run.stderr.split()[-2:])
            size = path.stat().st_size / 1e6
            rate, used = f"{count / cpu:>9.0f}", f"{peak / 1024:>8.0f}"
            print(f"{count:>10} {size:>7.1f} {seconds:>7.2f} {cpu:>7.2f} {rate} {used}  {run.returncode}")
            path.unlink()


RUN = """
import resource, sys
from conformance.cli import main
try:
    main(["check", sys.argv[1]])
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)
"""

if __name__ == "__main__":
    main()
