"""Writes the small files in tests/data with torch, and their contents to expected.json.

Run it in the crate's folder: `python tests/make.py`. The files are committed, so that the tests need no torch. Made
with torch 2.15 on a little-endian machine; other versions of torch write other bytes with the same content.
"""

import argparse
import collections
import json
import os
import pathlib
import warnings

import torch
from torch import nn

FOLDER = pathlib.Path(__file__).parent / "data"
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

warnings.simplefilter("ignore")
torch.manual_seed(0)
expected = {}
errors = {}


def write(name, content, **options):
    path = FOLDER / f"{name}.pth"
    torch.save(content, path, **options)
    assert path.stat().st_size < 20_000, path


def good(name, content, state_dict=None, **options):
    """Writes a file that can be read, and records the tensors in it."""
    write(name, content, **options)
    # Expect what torch itself reads back, not what this script believes it wrote.
    loaded = torch.load(FOLDER / f"{name}.pth", weights_only=False)
    state_dict = state_dict(loaded) if state_dict else loaded
    expected[name] = [
        {"name": key, "shape": list(tensor.shape), "values": numbers(tensor.detach().to(torch.float32).flatten())}
        for key, tensor in state_dict.items()
        if isinstance(tensor, torch.Tensor) and tensor.dtype in FLOATS
    ]


def numbers(values):
    """The numbers with just enough digits to identify a float32, which keeps the file small."""
    short = [float(f"{value:.9g}") for value in values.tolist()]
    assert torch.equal(torch.tensor(short), values)
    return short


def bad(name, content, message, **options):
    """Writes a file that is refused, and records the message."""
    write(name, content, **options)
    errors[name] = message


LEGACY = {"_use_new_zipfile_serialization": False}

network = nn.Sequential(
    collections.OrderedDict(conv=nn.Conv2d(2, 3, 2), norm=nn.BatchNorm2d(3), relu=nn.ReLU(), head=nn.Linear(3, 2))
)
network.norm(torch.randn(2, 3, 3, 3))
good("module-zip", network.state_dict())
good("module-legacy", network.state_dict(), **LEGACY)
for protocol in (1, 3, 4, 5):
    good(f"protocol{protocol}", network.state_dict(), pickle_protocol=protocol)
good("protocol4-legacy", network.state_dict(), pickle_protocol=4, **LEGACY)

# Conversions: a denormal, the largest value, rounding up and down, negative zero.
samples = torch.tensor([0.0, -0.0, 1.0, -2.5, 1 / 3, 6e-8, 65504.0, 1e-40, 3.14159265358979], dtype=torch.float64)
for name, dtype in (("f16", torch.float16), ("bf16", torch.bfloat16), ("f32", torch.float32), ("f64", torch.float64)):
    content = {"w": samples.to(dtype).reshape(3, 3), "scalar": torch.tensor(0.1, dtype=dtype)}
    good(name, content)
    good(f"{name}-legacy", content, **LEGACY)

base = torch.arange(60, dtype=torch.float32)
views = {
    "transposed": base[:12].reshape(3, 4).t(),
    "permuted": base[:24].reshape(2, 3, 4).permute(2, 0, 1),
    "offset": base[7:19].reshape(3, 4),
    "stepped": base[1::7],
    "block": base.reshape(6, 10)[1:4, 2:9:3],
    "expanded": torch.tensor([[1.0], [2.0], [3.0]]).expand(3, 4),
    "repeated": torch.tensor(5.0).expand(2, 2, 2),
    "overlapping": base.as_strided((4, 3), (1, 2), 5),
    "ones": base[3:8].reshape(1, 5, 1, 1).transpose(0, 3),
    "channels_last": base.reshape(1, 3, 4, 5).contiguous(memory_format=torch.channels_last),
    "empty": torch.zeros(0, 3),
}
good("views", views)
good("views-legacy", views, **LEGACY)

tied = torch.randn(3, 2)
content = {"encoder.weight": tied, "decoder.weight": tied, "part": tied[1:], "turned": tied.t()}
good("tied", content)
good("tied-legacy", content, **LEGACY)

good("empty", {})
good("empty-ordered", collections.OrderedDict(), **LEGACY)
good("parameters", {"weight": nn.Parameter(torch.randn(2, 3)), "bias": nn.Parameter(torch.randn(2), False)})
integers = {"float": torch.ones(2), "bool": torch.tensor([True]), "u8": torch.tensor([1], dtype=torch.uint8)}
integers |= {str(t): torch.ones(3).to(t) for t in (torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16)}
good("integers", integers | {"epoch": 3, "lr": 0.1, "arch": "net", "none": None, "flag": False, "big": 2**100})

optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
network.head(torch.randn(3, 3)).sum().backward()
optimizer.step()
checkpoint = {
    "model": network.state_dict(),
    "optimizer": optimizer.state_dict(),
    "lr_scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 3).state_dict(),
    "epoch": 3,
    "args": argparse.Namespace(
        model="net", lr=0.1, device=torch.device("cpu"), dtype=torch.float32, size=torch.Size([1, 2]), names={"a"}
    ),
    "best": torch.tensor(0.75),
}
good("checkpoint", checkpoint, lambda loaded: loaded["model"])
good("checkpoint-legacy", checkpoint, lambda loaded: loaded["model"], **LEGACY)
good("checkpoint-protocol1", checkpoint, lambda loaded: loaded["model"], pickle_protocol=1)
good("checkpoint-protocol5", checkpoint, lambda loaded: loaded["model"], pickle_protocol=5)
content = {"epoch": 1, "state_dict": {"w": torch.ones(2)}, "best_acc1": torch.tensor(61.0)}
good("state-dict", content, lambda loaded: loaded["state_dict"])
content = {"model": {"depth": 3}, "model_ema": {"n_averaged": torch.tensor(4), "w": torch.ones(2)}}
good("model-ema", content, lambda loaded: loaded["model_ema"])


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/pth-was-executed",)


write("evil-entry", {"w": torch.ones(2), "evil": Evil()})
errors["evil-entry"] = 'tensor "evil": it needs posix.system, which is not run'
write("evil-top", Evil())
errors["evil-top"] = "the file holds an object of posix.system, not a dict of tensors"
write("evil-legacy", {"w": torch.ones(2), "evil": Evil()}, **LEGACY)
errors["evil-legacy"] = 'tensor "evil": it needs posix.system, which is not run'
write("evil-beside", {"model": {"w": torch.ones(2)}, "evil": [Evil()]})
expected["evil-beside"] = [{"name": "w", "shape": [2], "values": [1.0, 1.0]}]

class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))


ordered = "torch.nn.modules.container.Sequential"
bad("whole-module", network, f"the file holds an object of {ordered}, not a dict of tensors")
# The legacy format stores the source code of a module's class, so this one is short.
bad("whole-module-legacy", Tiny(), "the file holds an object of __main__.Tiny, not a dict of tensors", **LEGACY)
bad("module-inside", {"model": network}, f'tensor "model": it needs {ordered}, which is not run')
bad("complex", {"c": torch.zeros(2, dtype=torch.complex64)}, 'tensor "c": elements of type complex64 cannot be read')
content = {"f": torch.zeros(2).to(torch.float8_e4m3fn)}
bad("float8", content, 'tensor "f": it needs torch.float8_e4m3fn, which is not run')
content = {"n": torch._neg_view(torch.ones(2))}
bad("negative", content, 'tensor "n": its negative or conjugate view cannot be used')
content = {"s": torch.ones(2).to_sparse()}
bad("sparse", content, 'tensor "s": it needs torch._utils._rebuild_sparse_tensor, which is not run')
attribute = torch.ones(2)
attribute.note = "x"
content = {"w": attribute}
bad("attribute", content, 'tensor "w": it needs torch._tensor._rebuild_from_type_v2, which is not run')
bad("list", [torch.ones(2)], "the file holds a list, not a dict of tensors")
bad("nested", {"backbone": {"w": torch.ones(2)}, "w": torch.ones(1)}, 'tensor "backbone": it is a dict, not a tensor')
bad("integer-key", {1: torch.ones(2)}, "entry 0 of the state dict: its key is an integer, not a string")
message = 'the file holds no tensors, neither at the top nor under "model", "state_dict" or "model_ema"'
bad("no-tensors", {"epoch": 3}, message)
bad("protocol0", {"w": torch.ones(2)}, "pickle: byte 1: opcode 0x64 is not", pickle_protocol=0)

(FOLDER / "expected.json").write_text(json.dumps({"good": expected, "bad": errors}, separators=(",", ":")) + "\n")
assert (FOLDER / "expected.json").stat().st_size < 20_000
