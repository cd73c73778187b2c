"""Forward and training of one network of each kind at 224 x 224, against torchvision's in PyTorch, in its faster layout."""

from contest import BENCH, PYTHON, build, kiln_environment, median, print_table, run, save, take_turns

NAMES = ["resnet18", "vgg16", "densenet121"]
LAYOUTS = ["contiguous", "channels_last"]


def measure(*command, environment=None):
    """`{(name, what, batch): seconds}` and the peak memory."""
    process = run(*command, *NAMES, environment=environment)
    lines = [line.split(",") for line in process.output.splitlines()]
    return {"seconds": {",".join(key): float(seconds) for *key, seconds in lines}, "peak_mib": process.peak_mib}


def main(options):
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
            name, what, batch = key.split(",")
            kiln = seconds(f"Kiln, {threads} T", key)
            peer = min(seconds(f"PyTorch, {layout}, {threads} T", key) for layout in LAYOUTS)
            rows.append([name, what, batch, str(threads), f"{1000 * kiln:.1f}", f"{1000 * peer:.1f}", f"{peer / kiln:.2f}"])
    header = ["network", "what", "batch", "threads", "Kiln, ms", "PyTorch, ms", "PyTorch / Kiln"]
    print_table("torchvision's networks at 224 x 224", header, rows)
    save("zoo", {"rounds": options.rounds, "results": results})
