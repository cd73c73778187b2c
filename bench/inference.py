"""The lecture's network on MNIST's 10,000 test images, which are f32 arrays before the clock starts.

The peers are called from Python, which costs some microseconds a call: `bench/peers/inference.py` measures how many.
"""

from contest import BENCH, PYTHON, build, kiln_environment, median, print_table, run, save, take_turns

BATCHES = [1, 64, 1000]
PEERS = {"PyTorch": "pytorch", "ONNX Runtime": "onnxruntime"}


def measure(*command, environment=None):
    """`{batch: seconds}`, how many images were classified right, and the peak memory."""
    process = run(*command, *BATCHES, environment=environment)
    lines = [line.split(",") for line in process.output.splitlines()]
    seconds = {int(batch): float(seconds) for batch, seconds, _ in lines}
    (correct,) = {int(correct) for _, _, correct in lines}
    return {"seconds": seconds, "correct": correct, "peak_mib": process.peak_mib}


def main(options):
    program = build("infer", "inference")
    contestants = {}
    for threads in options.threads:
        for backend in ["ndarray", "flex"]:
            name = f"Kiln, {backend}, {threads} T"
            contestants[name] = lambda backend=backend, threads=threads: measure(
                program, backend, threads, environment=kiln_environment(threads)
            )
        for name, peer in PEERS.items():
            script = [PYTHON, BENCH / "peers/inference.py", peer, threads]
            contestants[f"{name}, {threads} T"] = lambda script=script: measure(*script)
    results = take_turns(options.rounds, contestants)
    correct = {result["correct"] for each in results.values() for result in each}
    assert len(correct) == 1, f"the contestants do not agree: {correct} images classified right"

    def seconds(name, batch):
        return median(result["seconds"][batch] for result in results[name])

    rows = []
    for name in contestants:
        peer = "ONNX Runtime," + name.rsplit(",", 1)[1]
        cells = [f"{10_000 / seconds(name, b):,.0f} ({seconds(peer, b) / seconds(name, b):.2f})" for b in BATCHES]
        rows.append([name, *cells, f"{median(result['peak_mib'] for result in results[name]):.0f} MiB"])
    header = ["images/s (ONNX Runtime / this)", *(f"batch {batch}" for batch in BATCHES), "peak memory"]
    print_table("The lecture's network: inference", header, rows)
    save("inference", {"rounds": options.rounds, "results": results})
