"""Servers under load: MNIST's test images as PNG files, one a request, from `wrk` (Debian: wrk) on the same machine.

The second table is a flood: more connections than the queue has places, with good and bad bodies mixed.
"""

import json
import os
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib
from contextlib import contextmanager
from pathlib import Path

from contest import BENCH, PYTHON, ROOT, build, median, print_table, run, save, take_turns

sys.path.insert(0, str(BENCH / "peers"))

CONNECTIONS = [1, 16, 64]
SECONDS = 5
FLOOD = {"connections": 2000, "seconds": 20}


def pictures(folder):
    """64 test images as PNG files."""
    from PIL import Image
    from idx import read_idx

    images, _ = read_idx(ROOT / "assets/mnist", "t10k")
    paths = [Path(folder) / f"{number}.png" for number in range(64)]
    for path, pixels in zip(paths, images):
        Image.fromarray(pixels).save(path)
    return paths


def bad(folder, good):
    """Bodies that are no pictures, and one of them empty."""
    head = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    parts = [struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head)), b"\0\0\0\0IDAT\x35\xaf\x06\x1e"]
    wide = b"\x89PNG\r\n\x1a\n" + b"".join(parts)
    bodies = {
        "text": b"no picture",
        "empty": b"",
        "cut": good.read_bytes()[:90],
        "noise": bytes(range(256)) * 40,
        # The head of a picture of 60,000 x 60,000 pixels. (A body that is too long is answered before it is sent, which wrk does
        # not understand: it goes on with the next request in the middle of the body.)
        "wide": wide,
    }
    paths = []
    for name, body in bodies.items():
        paths.append(Path(folder) / name)
        paths[-1].write_bytes(body)
    return paths


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def server(command, port, environment=None):
    """A server that answers, with its log, ended at the end."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([str(word) for word in command], env=environment, stdout=log, stderr=log)
        try:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert process.poll() is None, f"{command} ended"
                    time.sleep(0.05)
            yield process, log
        finally:
            process.terminate()
            process.wait(60)


def resident_mib(process):
    """Resident memory of a process and its children."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in [process.pid, *children])
    return pages * resource.getpagesize() / 2**20


def ask(port, connections, seconds, files, count=False):
    environment = {**os.environ, **({"COUNT_STATUSES": "1"} if count else {})}
    threads = min(connections, 2)
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", BENCH / "serve.lua"]
    output = run(*command, f"http://127.0.0.1:{port}", "--", *files, environment=environment).output
    return json.loads(output.splitlines()[-1])


def measure(start, files):
    """Requests a second and latencies at each number of connections, and memory before and after."""
    port = free_port()
    with server(*start(port)) as (process, _):
        ask(port, 16, 1, files)
        before = resident_mib(process)
        results = {connections: ask(port, connections, SECONDS, files) for connections in CONNECTIONS}
        assert all(result["not_2xx"] + result["broken"] == 0 for result in results.values()), results
        return {"loads": results, "resident_mib": [before, resident_mib(process)]}


def flood(program, files):
    """Good and bad requests from everywhere, twice, and what they leave behind."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    port = free_port()
    command = [program, "--port", port, "--max-connections", 4000, "--max-body-mb", 1, "--log-level", "warn"]
    with server(command, port) as (process, log):
        rounds, resident = [], [resident_mib(process)]
        for _ in range(3):
            rounds.append(ask(port, **FLOOD, files=files, count=True))
            time.sleep(1)
            resident.append(resident_mib(process))
        metrics = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
        assert "kiln_queue_images 0\n" in metrics and "kiln_bodies_bytes 0\n" in metrics, metrics
        process.terminate()
        assert process.wait(60) == 0
        log.seek(0)
        assert b"panicked" not in log.read()
    return {"rounds": rounds, "resident_mib": resident}


def main(options):
    program = build("serve")
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "resnet8.onnx"
        run(build("infer"), "export", model, "--model", "built-in")
        files = pictures(folder)

        def kiln(port):
            return [program, "--port", port, "--model", "built-in", "--log-level", "warn"], port

        def fastapi(workers):
            def start(port):
                command = [PYTHON, "-m", "uvicorn", "--app-dir", BENCH / "peers", "fastapi_onnx:app", "--port", port]
                command += ["--workers", workers, "--no-access-log", "--log-level", "error"]
                return command, port, {**os.environ, "MODEL": str(model)}

            return start

        contestants = {
            "Kiln, serve": lambda: measure(kiln, files),
            "FastAPI, ONNX Runtime, 1 worker": lambda: measure(fastapi(1), files),
            "FastAPI, ONNX Runtime, 2 workers": lambda: measure(fastapi(2), files),
        }
        results = take_turns(options.rounds, contestants)
        flooded = flood(program, files + bad(folder, files[0]) * 4)

    rows = []
    for name, each in results.items():
        def middle(connections, what):
            return median(what(result["loads"][connections]) for result in each)

        cells = []
        for connections in CONNECTIONS:
            speed = middle(connections, lambda load: load["requests"] / load["seconds"])
            p50, p99 = (middle(connections, lambda load: load[key]) for key in ["p50_ms", "p99_ms"])
            cells.append(f"{speed:,.0f}/s, {p50:.1f} and {p99:.1f} ms")
        memory = median(result["resident_mib"][1] for result in each)
        rows.append([name, *cells, f"{memory:.0f} MiB"])
    header = ["requests a second, median and 99th percentile", *(f"{count} at a time" for count in CONNECTIONS), "memory"]
    print_table("Serving ResNet-8", header, rows)
    rows = []
    for number, result in enumerate(flooded["rounds"]):
        statuses = ", ".join(f"{count:,} x {status}" for status, count in sorted(result["statuses"].items()))
        rows.append([
            str(number + 1), f"{result['requests'] / result['seconds']:,.0f}/s", statuses, str(result["broken"]),
            f"{result['p50_ms']:.0f}, {result['p99_ms']:.0f}, {result['max_ms']:.0f} ms",
            f"{flooded['resident_mib'][number]:.0f} to {flooded['resident_mib'][number + 1]:.0f} MiB",
        ])
    header = ["round", "requests", "answers", "broken", "median, 99th percentile, longest", "memory"]
    print_table(f"{FLOOD['connections']:,} connections with good and bad bodies", header, rows)
    save("serve", {"rounds": options.rounds, "results": results, "flood": flooded})
