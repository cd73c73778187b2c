"""torchvision's networks at 224 x 224: inference against the runtimes that people serve with, a training step against PyTorch."""

import json

from contest import BENCH, PYTHON, build, kiln_environment, median, print_table, run, save, take_turns

FORWARD = ["resnet18", "resnet50", "vgg16", "googlenet", "inception_v3", "densenet121"]
BATCHES = [1, 8, 32]
PEERS = {
    "ONNX Runtime": "onnxruntime",
    "OpenVINO": "openvino",
    "PyTorch, contiguous": "contiguous",
    "PyTorch, channels_last": "channels_last",
}
TRAIN = ["resnet18", "vgg16", "densenet121"]
LAYOUTS = ["contiguous", "channels_last"]


def main(options):
    forward(options)
    train(options)


def kiln_forward(program, name, batch, threads):
    """Seconds and peak memory."""
    flags = ["--arch", name, "-b", batch, "--threads", threads, "--backend", "ndarray", "--format", "json"]
    process = run(program, "bench", *flags)
    (result,) = json.loads(process.output)["results"]
    return {"seconds": result["p50_ms"] / 1000, "peak_mib": process.peak_mib}


def peer_forward(peer, name, batch, threads):
    process = run(PYTHON, BENCH / "peers/zoo_forward.py", peer, name, batch, threads)
    return {"seconds": float(process.output), "peak_mib": process.peak_mib}


def forward(options):
    program = build("infer")
    rows, results = [], {}
    for name in FORWARD:
        for batch in BATCHES:
            for threads in options.threads:
                contestants = {"Kiln": lambda: kiln_forward(program, name, batch, threads)}
                for label, peer in PEERS.items():
                    contestants[label] = lambda peer=peer: peer_forward(peer, name, batch, threads)
                turns = take_turns(options.rounds, contestants)
                results[f"{name},{batch},{threads}"] = turns
                seconds = {label: median(turn["seconds"] for turn in each) for label, each in turns.items()}
                memory = {label: median(turn["peak_mib"] for turn in each) for label, each in turns.items()}
                kiln = seconds.pop("Kiln")
                best = min(seconds, key=seconds.get)
                cells = [f"{1000 * value:.1f}" for value in [kiln, *seconds.values()]]
                mib = f"{memory['Kiln']:.0f} ({memory[best]:.0f})"
                rows.append([name, str(batch), str(threads), *cells, f"{seconds[best] / kiln:.2f}", mib])
    header = ["network", "batch", "threads", "Kiln, ms", *PEERS, "best peer / Kiln", "MiB, Kiln (best peer)"]
    print_table("torchvision's networks at 224 x 224: forward", header, rows)
    save("zoo_forward", {"rounds": options.rounds, "results": results})


def measure(*command, environment=None):
    """`{name: seconds}` and the peak memory."""
    process = run(*command, *TRAIN, environment=environment)
    lines = [line.split(",") for line in process.output.splitlines()]
    return {"seconds": {",".join(key): float(seconds) for *key, seconds in lines}, "peak_mib": process.peak_mib}


def train(options):
    program = build("train", "zoo")
    contestants = {}
    for threads in options.threads:
        contestants[f"Kiln, {threads} T"] = lambda threads=threads: measure(
            program, "ndarray", threads, environment=kiln_environment(threads)
        )
        for layout in LAYOUTS:
            script = [PYTHON, BENCH / "peers/zoo.py", layout, threads]
            contestants[f"PyTorch, {layout}, {threads} T"] = lambda script=script: measure(*script)
    results = take_turns(options.rounds, contestants)

    def seconds(name, key):
        return median(result["seconds"][key] for result in results[name])

    rows = []
    for threads in options.threads:
        for key in results[f"Kiln, {threads} T"][0]["seconds"]:
            name, batch = key.split(",")
            kiln = seconds(f"Kiln, {threads} T", key)
            peer = min(seconds(f"PyTorch, {layout}, {threads} T", key) for layout in LAYOUTS)
            rows.append([name, batch, str(threads), f"{1000 * kiln:.1f}", f"{1000 * peer:.1f}", f"{peer / kiln:.2f}"])
    header = ["network", "batch", "threads", "Kiln, ms", "PyTorch, ms", "PyTorch / Kiln"]
    print_table("torchvision's networks at 224 x 224: a training step", header, rows)
    save("zoo", {"rounds": options.rounds, "results": results})
