"""Weights going both ways between Kiln and PyTorch.

    python exchange.py        # writes from-torch.safetensors and exchange.safetensors beside this script

`from-torch.safetensors` is a state_dict as PyTorch saves it. `exchange.safetensors` holds the logits that PyTorch computes
for the 16 images of logits.safetensors: `from-torch` with those weights, `shipped` with Kiln's own
assets/models/lecture-cnn.safetensors, loaded by name with strict=True.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from formula import MEAN, NETWORKS, STD

HERE = Path(__file__).resolve().parent
SHIPPED = HERE.parents[3] / "assets" / "models" / "lecture-cnn.safetensors"


def logits(weights, images):
    network = NETWORKS["lecture-cnn"]()
    network.load_state_dict(load_file(weights), strict=True)
    with torch.no_grad():
        return network.eval()(images)


def main():
    torch.set_num_threads(1)
    torch.manual_seed(1)
    weights = HERE / "from-torch.safetensors"
    save_file(NETWORKS["lecture-cnn"]().state_dict(), weights)
    images = load_file(HERE / "logits.safetensors")["images"].float().unsqueeze(1).div(255).sub(MEAN).div(STD)
    both = {"from-torch": logits(weights, images), "shipped": logits(SHIPPED, images)}
    save_file(both, HERE / "exchange.safetensors", {"source": f"exchange.py, torch {torch.__version__}"})
    weights.chmod(0o644)
    (HERE / "exchange.safetensors").chmod(0o644)


if __name__ == "__main__":
    main()
