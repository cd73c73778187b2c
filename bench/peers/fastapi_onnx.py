"""A minimal server for the same network, with FastAPI and ONNX Runtime:

    MODEL=resnet8.onnx python -m uvicorn --app-dir bench/peers fastapi_onnx:app --workers 2 --no-access-log

The picture is made grey and, where it is larger, as small as MNIST's; Kiln also looks for the digit on its page. The network takes
less time than handing it to another thread, so the route is `async` and computes where it is.
"""

import io
import os

import numpy as np
import onnxruntime
from fastapi import FastAPI, HTTPException, Request
from PIL import Image, UnidentifiedImageError

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
(INPUT,) = [node.name for node in session.get_inputs()]
app = FastAPI()


@app.post("/v1/predict")
async def predict(request: Request):
    body = await request.body()
    try:
        picture = Image.open(io.BytesIO(body)).convert("L")
    except UnidentifiedImageError as error:
        raise HTTPException(415, "not an image") from error
    except OSError as error:
        raise HTTPException(422, "a damaged image") from error
    if picture.size != (28, 28):
        picture = picture.resize((28, 28), Image.Resampling.BILINEAR)
    pixels = ((np.asarray(picture, np.float32) / 255 - 0.1307) / 0.3081)[None, None]
    (logits,) = session.run(None, {INPUT: pixels})
    shares = np.exp(logits[0] - logits[0].max())
    shares /= shares.sum()
    best = shares.argsort()[::-1][:3]
    return {"predictions": [{"class": int(index), "confidence": float(shares[index])} for index in best]}
