"""Loads a Kiln weights file into the matching torch module and prints its logits, [N, classes], as JSON.

    python load_in_torch.py WEIGHTS.safetensors IMAGES.safetensors

The architecture and the normalisation come from the weights file's `kiln` metadata; every tensor must match
(load_state_dict with strict=True). IMAGES holds `images`: u8 [N, 28, 28], as logits.safetensors in
model/tests/golden has them, or f32 [N, C, H, W], already normalised.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "model" / "tests" / "golden"))
from formula import MEAN, NETWORKS, STD  # noqa: E402


def logits(network, images_file, mean=(MEAN,), std=(STD,)):
    """The network's answer to the images of a file, as nested lists."""
    images = load_file(images_file)["images"]
    if images.dtype == torch.uint8:
        mean, std = torch.tensor(mean).reshape(-1, 1, 1), torch.tensor(std).reshape(-1, 1, 1)
        images = images.float().unsqueeze(1).div(255).sub(mean).div(std)
    with torch.no_grad():
        return network.eval()(images).tolist()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights")
    parser.add_argument("images")
    options = parser.parse_args()
    torch.set_num_threads(1)

    with safe_open(options.weights, "pt") as file:
        kiln = json.loads(file.metadata()["kiln"])
    network = NETWORKS[kiln["architecture"]]()
    network.load_state_dict(load_file(options.weights), strict=True)
    preprocess = kiln["preprocess"]
    print(json.dumps(logits(network, options.images, preprocess["mean"], preprocess["std"])))


if __name__ == "__main__":
    main()
