"""Weights going both ways between Kiln and PyTorch.

    python exchange.py        # writes from-torch.* and exchange.safetensors beside this script

`from-torch.safetensors` is a state_dict as PyTorch saves it, `from-torch.pth` the same by torch.save, and
`from-torch-half.safetensors` in 16 bits. `exchange.safetensors` holds the logits that PyTorch computes
for the 16 images of logits.safetensors: `from-torch` with those weights, `shipped` with Kiln's own
assets/models/lecture-cnn.safetensors, loaded by name with strict=True.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from formula import MEAN, NETWORKS, STD

HERE = Path(__file__).resolve().parent
SHIPPED = HERE.parents[2] / "assets" / "models" / "lecture-cnn.safetensors"


def logits(weights, images):
    network = NETWORKS["lecture-cnn"]()
    network.load_state_dict(load_file(weights), strict=True)
    with torch.no_grad():
        return network.eval()(images)


def main():
    torch.set_num_threads(1)
    torch.manual_seed(1)
    weights = HERE / "from-torch.safetensors"
    state = NETWORKS["lecture-cnn"]().state_dict()
    save_file(state, weights)
    torch.save(state, HERE / "from-torch.pth")
    save_file({name: tensor.half() for name, tensor in state.items()}, HERE / "from-torch-half.safetensors")
    images = load_file(HERE / "logits.safetensors")["images"].float().unsqueeze(1).div(255).sub(MEAN).div(STD)
    both = {"from-torch": logits(weights, images), "shipped": logits(SHIPPED, images)}
    save_file(both, HERE / "exchange.safetensors", {"source": f"exchange.py, torch {torch.__version__}"})
    for path in HERE.glob("*.safetensors"):
        path.chmod(0o644)


if __name__ == "__main__":
    main()
