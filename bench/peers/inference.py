"""Times the lecture's network on MNIST's test images: `inference.py pytorch|onnxruntime THREADS BATCH..`.

Prints `batch,seconds,correct`: for each batch size the median of three passes over the 10,000 images, which are arrays
before the clock starts, and how many were classified right. The weights are those that ship with Kiln.
"""

import sys
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from idx import MEAN, STD, read_idx

ASSETS = Path(__file__).resolve().parents[2] / "assets"
PASSES = 3


def kiln_weights():
    return load_file(ASSETS / "models/lecture-cnn.safetensors")


def pytorch(weights, threads):
    import torch
    from lecture_cnn import LectureCnn

    torch.set_num_threads(threads)
    network = LectureCnn().eval()
    network.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})

    def run(images):
        with torch.inference_mode():
            return network(images).numpy()

    return torch.tensor, run


def onnxruntime(weights, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(onnx_model(weights), options, providers=["CPUExecutionProvider"])
    return np.ascontiguousarray, lambda images: session.run(None, {"images": images})[0]


def onnx_model(weights):
    """The network as a serialised ONNX model."""
    from onnx import TensorProto, helper, numpy_helper

    pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        helper.make_node("Conv", ["images", "conv1.weight", "conv1.bias"], ["a"]),
        # ReLU and the maximum may change places, and ONNX Runtime fuses ReLU with what is before it.
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MaxPool", ["b"], ["c"], **pool),
        helper.make_node("Conv", ["c", "conv2.weight", "conv2.bias"], ["d"]),
        helper.make_node("Relu", ["d"], ["e"]),
        helper.make_node("MaxPool", ["e"], ["f"], **pool),
        helper.make_node("Flatten", ["f"], ["g"]),
        helper.make_node("Gemm", ["g", "fc.weight", "fc.bias"], ["logits"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "lecture-cnn",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 1, 28, 28])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model.SerializeToString()


def main():
    peer, threads, batches = sys.argv[1], int(sys.argv[2]), map(int, sys.argv[3:])
    pixels, labels = read_test_images()
    ready, run = {"pytorch": pytorch, "onnxruntime": onnxruntime}[peer](kiln_weights(), threads)
    for batch in batches:
        inputs = [ready(pixels[start : start + batch]) for start in range(0, len(pixels), batch)]
        seconds = []
        for _ in range(PASSES):
            start = time.perf_counter()
            logits = [run(images) for images in inputs]
            seconds.append(time.perf_counter() - start)
        correct = int((np.concatenate(logits).argmax(1) == labels).sum())
        print(f"{batch},{sorted(seconds)[PASSES // 2]:.5f},{correct}", flush=True)


def read_test_images():
    """Normalised images f32 [N, 1, 28, 28] and labels [N]."""
    images, labels = read_idx(ASSETS / "mnist", "t10k")
    return (images[:, None].astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(STD), labels


if __name__ == "__main__":
    main()
