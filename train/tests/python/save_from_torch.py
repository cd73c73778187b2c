"""Saves a freshly initialised torch network as plain safetensors, without Kiln's metadata, and prints its logits.

    python save_from_torch.py OUT.safetensors --arch lecture-cnn --seed 1 --images IMAGES.safetensors

IMAGES as for load_in_torch.py; the logits, [N, classes], are JSON on standard output. Kiln reads such a file with
`infer --weights OUT.safetensors --arch lecture-cnn`.
"""

import argparse
import json

import torch
from safetensors.torch import save_file

from load_in_torch import NETWORKS, logits


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--arch", choices=NETWORKS, default="lecture-cnn")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--images", help="print the logits of these")
    options = parser.parse_args()
    torch.set_num_threads(1)

    torch.manual_seed(options.seed)
    network = NETWORKS[options.arch]()
    save_file(network.state_dict(), options.out)
    if options.images:
        print(json.dumps(logits(network, options.images)))


if __name__ == "__main__":
    main()
