"""Makes zoo.safetensors and zoo.json: what torchvision's networks compute with weights from a formula.

    pip install -r bench/peers/requirements.txt
    python model/tests/golden/zoo.py

Logits are those of float64; `bound` is how far float32 on the same machine is from them, relative to the largest value,
which tells how much of a difference says nothing. Numbers are the same on both sides: see `mixed`.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch.nn import functional as F
from torchvision import models

HERE = Path(__file__).resolve().parent
CLASSES, TARGETS = 10, [3, 7]
VGG = [f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")]
RESNET = [f"resnet{depth}" for depth in (18, 34, 50, 101, 152)]
DENSENET = [f"densenet{depth}" for depth in (121, 161, 169, 201)]
# Small pictures for all, and the usual size once a family.
LOGITS = [(name, 64) for name in [*VGG, *RESNET, "googlenet", *DENSENET]] + [("inception_v3", 96)]
LOGITS += [("vgg11", 224), ("resnet18", 224), ("googlenet", 224), ("inception_v3", 299), ("densenet121", 224)]
# First and last layer, first and last normalisation.
STEPS = {
    "vgg11_bn": (64, ["features.0.weight", "classifier.6.weight"], ["features.1", "features.26"]),
    "resnet18": (64, ["conv1.weight", "fc.weight"], ["bn1", "layer4.1.bn2"]),
    "googlenet": (64, ["conv1.conv.weight", "fc.weight"], ["conv1.bn", "inception5b.branch4.1.bn"]),
    "inception_v3": (299, ["Conv2d_1a_3x3.conv.weight", "fc.weight"], ["Conv2d_1a_3x3.bn", "Mixed_7c.branch_pool.bn"]),
    "densenet121": (64, ["features.conv0.weight", "classifier.weight"], ["features.norm0", "features.norm5"]),
}
AUXILIARY = {"googlenet": 0.3, "inception_v3": 0.4}


def mixed(name, count):
    """Numbers from 0 to 1 that depend on a name and a place: FNV-1a of the name, then murmur3's finaliser."""
    seed = 2166136261
    for byte in name.encode():
        seed = (seed ^ byte) * 16777619 % 2**32
    x = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(seed)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    return x / 2.0**32


def values(name, shape):
    """The weights of a name: fan-in scaled, and normalisations that do something."""
    u = mixed(name, int(np.prod(shape))).reshape(shape)
    if len(shape) > 1:
        # Uniform with variance 2 / fan-in.
        result = (2 * u - 1) * np.sqrt(6 / np.prod(shape[1:]))
    elif name.endswith("running_var"):
        result = 0.5 + u
    elif name.endswith("weight"):
        # What a residual block adds is small, or a hundred of them would add up.
        result = 0.2 + 0.3 * u if ".bn2." in name or ".bn3." in name else 0.8 + 0.4 * u
    else:
        result = 0.4 * u - 0.2
    return result.astype(np.float32)


def images(size):
    """Two pictures, one of strong and one of weak contrast: noise on tiles of 8x8 pixels."""
    shape = (2, 3, size, size)
    tiles = mixed("tiles", 2 * 3 * 64 * 64).reshape(2, 3, 64, 64)
    at = np.arange(size) // 8
    noise = mixed("noise", int(np.prod(shape))).reshape(shape)
    contrast = np.array([3, 1]).reshape(2, 1, 1, 1)
    return (contrast * tiles[:, :, at][:, :, :, at] + noise - (contrast + 1) / 2).astype(np.float32)


def network(name, dtype):
    options = {"init_weights": False} if name in AUXILIARY else {}
    if name in AUXILIARY:
        options["transform_input"] = True
    model = getattr(models, name)(weights=None, num_classes=CLASSES, **options)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    state = model.state_dict()
    for key, tensor in state.items():
        if not key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(values(key, tuple(tensor.shape)))
    model.load_state_dict(state)
    return model.to(dtype)


def keys(model):
    """How many tensors, and FNV-1a of their sorted names and shapes."""
    tensors = {key: list(value.shape) for key, value in model.state_dict().items() if "num_batches" not in key}
    text = "".join(f"{key} {shape}\n" for key, shape in sorted(tensors.items()))
    digest = 2166136261
    for byte in text.encode():
        digest = (digest ^ byte) * 16777619 % 2**32
    return {"count": len(tensors), "digest": digest}


def logits(name, size, dtype):
    model = network(name, dtype).eval()
    with torch.no_grad():
        return model(torch.tensor(images(size)).to(dtype)).double().numpy()


def step(name, dtype):
    """Loss, gradients and running statistics of one step."""
    size, weights, norms = STEPS[name]
    model = network(name, dtype).train()
    output, targets = model(torch.tensor(images(size)).to(dtype)), torch.tensor(TARGETS)
    if name in AUXILIARY:
        main, *heads = [head for head in output if head is not None]
        loss = F.cross_entropy(main, targets) + AUXILIARY[name] * sum(F.cross_entropy(h, targets) for h in heads)
    else:
        loss = F.cross_entropy(output, targets)
    loss.backward()
    parameters, state = dict(model.named_parameters()), model.state_dict()
    result = {"loss": loss.detach().reshape(1)}
    result |= {f"grad {key}": parameters[key].grad for key in weights}
    result |= {f"{norm}.{what}": state[f"{norm}.{what}"] for norm in norms for what in ("running_mean", "running_var")}
    return {key: value.double().numpy() for key, value in result.items()}


def difference(a, b):
    return float(np.abs(a - b).max() / np.abs(b).max())


def main():
    warnings.simplefilter("ignore")
    tensors, table = {}, {"logits": [], "steps": [], "keys": {}}
    for name, size in LOGITS:
        exact, single = logits(name, size, torch.float64), logits(name, size, torch.float32)
        tensors[f"{name} {size} logits"] = exact.astype(np.float32)
        table["logits"].append({"name": name, "size": size, "bound": difference(single, exact)})
        table["keys"][name] = keys(network(name, torch.float32))
        spread = float(exact.max() - exact.min()) / np.abs(exact).max()
        between = float(np.abs(exact[0] - exact[1]).max() / np.abs(exact).max())
        print(f"{name:13} {size:4} float32 {table['logits'][-1]['bound']:.1e} spread {spread:.2f} between {between:.2f}", flush=True)
    for name in STEPS:
        exact, single = step(name, torch.float64), step(name, torch.float32)
        bounds = {key: difference(single[key], exact[key]) for key in exact}
        for key, value in exact.items():
            tensors[f"{name} {key}"] = value.astype(np.float32)
        table["steps"].append({"name": name, "size": STEPS[name][0], "bounds": bounds})
        print(f"{name:13} step {max(bounds.values()):.1e}", flush=True)
    save_file(tensors, HERE / "zoo.safetensors")
    (HERE / "zoo.json").write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
