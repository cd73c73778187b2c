"""Kiln's speed against its peers: all tables, or those that are named.

    pip install -r bench/peers/requirements.txt
    python bench/run.py
    python bench/run.py training inference --rounds 5 --threads 1 2

Builds the programs, runs all contestants of a table in turn, round by round, and prints medians over the rounds. The
raw numbers go to bench/results. A quiet machine matters: ratios between contestants are steadier than times.
"""

import argparse

import convolutions
import digit
import inference
import operations
import serve
import training
import zoo
from contest import machine

TABLES = {
    "training": training,
    "inference": inference,
    "digit": digit,
    "operations": operations,
    "convolutions": convolutions,
    "zoo": zoo,
    "serve": serve,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"{', '.join(TABLES)} [default: all]")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    options = parser.parse_args()
    unknown = set(options.tables) - set(TABLES)
    if unknown:
        parser.error(f"no such table: {', '.join(sorted(unknown))}")
    print(machine())
    for name in options.tables or TABLES:
        TABLES[name].main(options)


main()
