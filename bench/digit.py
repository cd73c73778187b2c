"""A picture of a digit read from the command line, as processes that start anew each time."""

import tempfile
from pathlib import Path

from contest import BENCH, PYTHON, ROOT, build, median, print_table, run, save, take_turns

CALLS = 20
PICTURE = ROOT / "assets/samples/7.png"


def measure(*command):
    """Wall time and peak memory of each call; the answer must be right."""
    calls = []
    for _ in range(CALLS):
        process = run(*command)
        digit = process.output.split(",")[-2] if "," in process.output else process.output.strip()
        assert digit == "7", f"{command[0]} reads {process.output!r}"
        calls.append({"milliseconds": 1e3 * process.seconds, "peak_mib": process.peak_mib})
    return calls


def main(options):
    infer = build("infer")
    with tempfile.TemporaryDirectory() as folder:
        script = [PYTHON, BENCH / "peers/read_digit.py"]
        for peer in ["onnxruntime", "pytorch"]:
            run(*script, peer, "--export", folder)
        contestants = {
            "Kiln, infer": lambda: measure(infer, PICTURE, "--backend", "ndarray", "--format", "csv", "--topk", 1),
            "Python, ONNX Runtime": lambda: measure(*script, "onnxruntime", Path(folder) / "model.onnx", PICTURE),
            "Python, PyTorch": lambda: measure(*script, "pytorch", Path(folder) / "model.pt", PICTURE),
        }
        results = take_turns(options.rounds, contestants)

    def middle(name, what):
        return median(call[what] for calls in results[name] for call in calls)

    rows = []
    for name in contestants:
        milliseconds = middle(name, "milliseconds")
        ratio = middle("Python, ONNX Runtime", "milliseconds") / milliseconds
        rows.append([name, f"{milliseconds:.1f} ms", f"{ratio:.1f}", f"{middle(name, 'peak_mib'):.0f} MiB"])
    header = ["infer image.png", "median", "Python, ONNX Runtime / this", "peak memory"]
    print_table("A picture of a digit, from the start of the process to its end", header, rows)
    save("digit", {"rounds": options.rounds, "calls": CALLS, "results": results})
