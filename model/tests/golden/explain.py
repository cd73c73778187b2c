"""Makes explain.json: Grad-CAM, feature maps and occlusion, as PyTorch computes them.

    pip install -r bench/peers/requirements.txt
    python model/tests/golden/explain.py

Weights are those of zoo.py and formula.py; pixels are `mixed("pixels", ..)` of zoo.py in 256 steps.
"""

import json

import numpy as np
import torch
from formula import MEAN, STD, network_by_formula
from torch.nn import functional as F

import zoo

IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
# Name, side, layer as Kiln calls it, the torch module whose output is meant, class.
CAMS = [
    ("resnet18", 128, None, "layer4", None),
    ("resnet18", 128, "layer2", "layer2", 3),
    ("resnet18", 128, "layer1.0.conv1", "layer1.0.conv1", 3),
    ("densenet121", 128, "features.denseblock4", "features.denseblock4", None),
    ("googlenet", 128, None, "inception5b", 7),
    ("vgg11_bn", 64, None, "features.27", 2),
    ("lecture-cnn", 28, None, "conv2", None),
    ("lecture-cnn", 28, "conv1", "conv1", 4),
]


def images(name, side):
    channels = 1 if name == "lecture-cnn" else 3
    pixels = np.floor(256 * zoo.mixed("pixels", channels * side * side)).astype(np.uint8)
    x = torch.tensor(pixels.reshape(1, channels, side, side)).to(torch.float64) / 255
    # GoogLeNet transforms ImageNet's normalisation to its own.
    mean, std = ([MEAN], [STD]) if channels == 1 else IMAGENET
    shape = (1, channels, 1, 1)
    return (x - torch.tensor(mean, dtype=torch.float64).reshape(shape)) / torch.tensor(std, dtype=torch.float64).reshape(shape)


def network(name):
    return network_by_formula(name).double() if name == "lecture-cnn" else zoo.network(name, torch.float64).eval()


def grad_cam(name, side, layer, module, label):
    net = network(name)
    kept = {}
    net.get_submodule(module).register_forward_hook(lambda _, __, y: kept.update(y=y) or y.retain_grad())
    # In place, ReLU would change what the hook keeps.
    for part in net.modules():
        if isinstance(part, torch.nn.ReLU):
            part.inplace = False
    logits = net(images(name, side))
    label = logits.argmax().item() if label is None else label
    logits[0, label].backward()
    weights = kept["y"].grad.mean((2, 3), keepdim=True)
    cam = F.relu((weights * kept["y"]).sum(1))[0].detach()
    cam = cam / cam.max()
    return {"architecture": name, "side": side, "layer": layer, "given": None if label is None else label,
            "class": label, "height": cam.shape[0], "width": cam.shape[1], "values": cam.flatten().tolist()}


def occlusion(side, stride):
    net, x = network("lecture-cnn"), images("lecture-cnn", 28)
    with torch.no_grad():
        whole = net(x).softmax(1)[0]
        label = whole.argmax().item()
        values = []
        for top in range(0, 28 - side + 1, stride):
            for left in range(0, 28 - side + 1, stride):
                covered = x.clone()
                covered[..., top : top + side, left : left + side] = 0
                values.append((whole[label] - net(covered).softmax(1)[0, label]).item())
    return {"side": side, "stride": stride, "class": label, "values": values}


def feature_maps():
    """Sums and sums of squares of each stage of resnet18's first block."""
    net, x = network("resnet18"), images("resnet18", 128)
    with torch.no_grad():
        stem = F.relu(net.bn1(net.conv1(x)))
        pooled = net.maxpool(stem)
        first = F.relu(net.layer1[0].bn1(net.layer1[0].conv1(pooled)))
        second = net.layer1[0].bn2(net.layer1[0].conv2(first))
    names = ["conv1", "bn1/max_pool", "layer1.0.conv1", "layer1.0.conv2"]
    return [{"layer": name, "shape": list(y.shape[1:]), "sum": y.sum().item(), "squares": y.square().sum().item()}
            for name, y in zip(names, [stem, pooled, first, second], strict=True)]


golden = {"cams": [grad_cam(*row) for row in CAMS], "feature_maps": feature_maps(), "occlusion": occlusion(6, 2)}
(zoo.HERE / "explain.json").write_text(json.dumps(golden) + "\n")
