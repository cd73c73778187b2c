"""Times the forward pass of one of torchvision's networks: `zoo_forward.py PEER NAME BATCH THREADS`.

PEER is onnxruntime, openvino, or PyTorch in a layout: contiguous or channels_last. All compute in f32 on random images of
224 x 224 pixels that are ready. Prints seconds: the median of the passes of three seconds, five at least, after three to warm up.
"""

import contextlib
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torchvision


def network(name):
    # These two take minutes to make their first weights.
    slow = {"init_weights": False} if name in ["googlenet", "inception_v3"] else {}
    return torchvision.models.get_model(name, weights=None, **slow).eval()


def exported(name):
    """The network as ONNX, which is made once."""
    path = Path(tempfile.gettempdir()) / f"kiln-bench-{os.getuid()}-{name}-{torchvision.__version__}.onnx"
    if not path.exists():
        images = torch.rand(1, 3, 224, 224)
        with contextlib.redirect_stdout(sys.stderr):
            torch.onnx.export(
                network(name),
                (images,),
                path,
                input_names=["images"],
                output_names=["logits"],
                dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}},
                dynamo=False,
            )
    return path


def onnxruntime(name, images, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(exported(name), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"images": images})


def openvino(name, images, threads):
    import openvino

    core = openvino.Core()
    model = core.read_model(exported(name))
    model.reshape(list(images.shape))
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    return lambda: request.infer({0: images}, share_inputs=True)


def pytorch(name, images, threads, layout):
    torch.set_num_threads(threads)
    layout = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}[layout]
    model = network(name).to(memory_format=layout)
    images = torch.from_numpy(images).contiguous(memory_format=layout)

    def run():
        with torch.inference_mode():
            model(images)

    return run


def main():
    peer, name, batch, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    images = np.random.default_rng(1).random((batch, 3, 224, 224), dtype=np.float32)
    runtimes = {"onnxruntime": onnxruntime, "openvino": openvino}
    if peer in runtimes:
        run = runtimes[peer](name, images, threads)
    else:
        run = pytorch(name, images, threads, peer)
    for _ in range(3):
        run()
    seconds = []
    end = time.perf_counter() + 3
    while time.perf_counter() < end or len(seconds) < 5:
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    print(f"{statistics.median(seconds):.6f}")


main()
