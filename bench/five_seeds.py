"""Kiln's side of the five-seed comparison: trains the lecture's recipe with seeds 1 to 5, as peers/five_seeds.py does.

    cargo build --release -p train
    python bench/five_seeds.py --train target/release/train

Runs that are complete already are only read. Writes results/kiln-five-seeds.json.
"""

import argparse
import csv
import json
import statistics
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPORTED = slice(7, 10)  # epochs 8, 9, 10


def accuracies(run):
    with open(run / "metrics.csv") as file:
        return [float(row["valid_accuracy"]) for row in csv.DictReader(file)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", default="target/release/train", help="the program")
    parser.add_argument("--backend", default="ndarray")
    parser.add_argument("--output", default="runs/five-seeds", type=Path)
    parser.add_argument("--out", default=HERE / "results" / "kiln-five-seeds.json", type=Path)
    options = parser.parse_args()

    flags = ["--backend", options.backend, "--dashboard", "off"]
    seeds = []
    for seed in range(1, 6):
        run = options.output / f"seed-{seed}"
        if not (run / "result.json").exists():
            where = ["--resume", str(run)] if run.exists() else ["--output", str(options.output), "--name", run.name, "--seed", str(seed)]
            subprocess.run([options.train, *flags, *where], check=True)
        values = accuracies(run)
        reported = values[REPORTED]
        seeds.append({"seed": seed, "accuracies": values, "reported": reported, "mean": round(statistics.mean(reported), 6)})
        print(f"seed {seed}: {reported}")
    each = [statistics.mean(seed["reported"]) for seed in seeds]
    last = [seed["accuracies"][9] for seed in seeds]
    summary = {
        "mean_of_epochs_8_to_10": round(statistics.mean(each), 6),
        "sd_over_seeds": round(statistics.stdev(each), 6),
        "epoch_10_mean": round(statistics.mean(last), 6),
        "epoch_10_sd": round(statistics.stdev(last), 6),
    }
    header = {"command": f"python bench/five_seeds.py --backend {options.backend}", "recipe": "train without options but --seed"}
    options.out.write_text(json.dumps({"header": header, "seeds": seeds, "summary": summary}, indent=2) + "\n")
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
