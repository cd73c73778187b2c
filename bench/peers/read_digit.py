"""Reads a picture of a digit, dark on light, with as little as that takes: `read_digit.py PEER MODEL IMAGE`.

PEER is onnxruntime or pytorch; `read_digit.py PEER --export FOLDER` writes the MODEL before. Kiln also looks for the
digit on its page; here a picture that holds little else is simply made as small as MNIST's.
"""

import sys

import numpy as np
from PIL import Image, ImageOps


def export(peer, folder):
    from inference import kiln_weights, onnx_model

    if peer == "onnxruntime":
        with open(f"{folder}/model.onnx", "wb") as file:
            file.write(onnx_model(kiln_weights()))
        return
    import torch

    torch.save({name: torch.tensor(value) for name, value in kiln_weights().items()}, f"{folder}/model.pt")


def main():
    peer, model, image = sys.argv[1:]
    if model == "--export":
        return export(peer, image)
    picture = ImageOps.invert(Image.open(image).convert("L")).resize((28, 28), Image.Resampling.BILINEAR)
    pixels = ((np.asarray(picture, np.float32) / 255 - 0.1307) / 0.3081)[None, None]
    if peer == "onnxruntime":
        from onnxruntime import InferenceSession, SessionOptions

        options = SessionOptions()
        options.intra_op_num_threads = 1
        (logits,) = InferenceSession(model, options).run(None, {"images": pixels})
    else:
        import torch
        from lecture_cnn import LectureCnn

        network = LectureCnn()
        network.load_state_dict(torch.load(model))
        with torch.inference_mode():
            logits = network(torch.tensor(pixels)).numpy()
    print(logits.argmax())


main()
