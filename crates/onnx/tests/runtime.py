"""Runs ONNX files in ONNX Runtime and compares their logits with Kiln's.

    pip install numpy onnx onnxruntime
    python crates/onnx/tests/runtime.py FOLDER

FOLDER has NAME.onnx, its input in NAME.input (raw float32 or uint8) and Kiln's logits in NAME.logits (raw float32). Prints a
line for each: the largest difference, as a share of the largest logit. Fails if it is above 1e-4 or a file is not valid.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

TYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}

worst = 0
for file in sorted(Path(sys.argv[1]).glob("*.onnx")):
    onnx.checker.check_model(str(file), full_check=True)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (given,), (gives,) = session.get_inputs(), session.get_outputs()
    assert given.shape[0] == "batch" and gives.shape[0] == "batch", (given.shape, gives.shape)
    metadata = session.get_modelmeta().custom_metadata_map
    assert len(json.loads(metadata["classes"])) == gives.shape[1]
    assert [json.loads(metadata["preprocess"])[key] for key in ("channels", "height", "width")] == given.shape[1:]
    x = np.fromfile(file.with_suffix(".input"), TYPES[given.type]).reshape(-1, *given.shape[1:])
    expected = np.fromfile(file.with_suffix(".logits"), np.float32).reshape(len(x), -1)
    (logits,) = session.run(None, {given.name: x})
    difference = np.abs(logits - expected).max() / np.abs(expected).max()
    print(f"{file.stem:<28} {'x'.join(map(str, x.shape)):<14} {difference:.1e}", flush=True)
    worst = max(worst, difference)
assert worst > 0, "no files, or files that were compared with themselves"
sys.exit(int(worst > 1e-4))
