"""Prints the scalars of a TensorBoard event file or run folder as JSON: {tag: [[step, value], ...]}.

    python read_events.py FILE_OR_DIR        needs tensorboard (bench/peers/requirements.txt)

Reads with TensorBoard's own EventAccumulator. That one stops at the first record with a wrong checksum and says
nothing, so a caller has to compare the number of points, not only the values.
"""

import argparse
import json

from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", metavar="FILE_OR_DIR")
    options = parser.parse_args()

    events = EventAccumulator(options.path, size_guidance={SCALARS: 0})  # 0: keep every point
    events.Reload()
    scalars = {tag: [[point.step, point.value] for point in events.Scalars(tag)] for tag in events.Tags()[SCALARS]}
    print(json.dumps(scalars))


if __name__ == "__main__":
    main()
