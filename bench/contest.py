"""What the tables share: building Kiln's programs, running contestants in turn, medians, the machine."""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
PYTHON = sys.executable


def machine():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        return f"{len(names)} x {names[0]}"
    except OSError:
        return platform.processor()


def build(package, bench=None):
    """Builds a package's program, or one of its benchmarks, with optimisation: the path of the program."""
    what = ["bench", "--no-run", "--bench", bench] if bench else ["build", "--release", "--bin", package]
    command = ["cargo", *what, "--locked", "--package", package, "--message-format", "json-render-diagnostics"]
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    artifacts = [json.loads(line) for line in output.splitlines()]
    return [artifact["executable"] for artifact in artifacts if artifact.get("executable")][-1]


@dataclass
class Run:
    """A process that has ended."""

    output: str
    seconds: float
    peak_mib: float
    #: Seconds of all processors.
    cpu_seconds: float


def run(*command, environment=None):
    """Runs a command, which must succeed."""
    start = time.perf_counter()
    command = [str(word) for word in command]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, env=environment)
        output = process.stdout.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            raise SystemExit(f"{command}: exit code {process.returncode}\n{errors.read().decode()}")
    return Run(output, seconds, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime)


def take_turns(rounds, contestants):
    """The results of each contestant, one a round: `{name: [result, ..]}`. In a round all run, one after the other."""
    results = {name: [] for name in contestants}
    for number in range(rounds):
        # Every other round goes backwards: whoever comes first has no advantage from it.
        for name, contestant in list(contestants.items())[:: -1 if number % 2 else 1]:
            print(f"round {number + 1} of {rounds}: {name}", file=sys.stderr, flush=True)
            results[name].append(contestant())
    return results


def median(values):
    return statistics.median(values)


def print_table(title, header, rows):
    print(f"\n{title}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def save(name, raw):
    """Keeps the raw numbers of a table."""
    path = BENCH / "results" / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), "versions": versions(), **raw}) + "\n")


def versions():
    """What was measured: this project's commit, the compiler, the peers."""
    def line(*command):
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()

    peers = {}
    for package in ["torch", "onnxruntime", "openvino", "numpy"]:
        try:
            peers[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            peers[package] = None
    return {"kiln": line("git", "rev-parse", "--short", "HEAD"), "rustc": line("rustc", "--version"), **peers}


def kiln_environment(threads):
    """ndarray's matrix products have a pool of their own, which --threads leaves alone."""
    return {**os.environ, "MATMUL_NUM_THREADS": str(threads)}
