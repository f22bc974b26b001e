"""Serves the encoder as a Python sidecar does: FastAPI, pydantic and onnxruntime called in the handler.

python3 fastapi-server.py MODEL.onnx MEANS STDS      (comma-separated; prints its port as one line of JSON)
"""

import json
import socket
import sys

import numpy
import onnxruntime
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, field_validator

path, means, stds = sys.argv[1:4]
mean = numpy.array([float(n) for n in means.split(",")], dtype=numpy.float32)
std = numpy.array([float(n) for n in stds.split(",")], dtype=numpy.float32)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
feed = session.get_inputs()[0].name
app = FastAPI()


class Window(BaseModel):
    x: list[list[float]]

    @field_validator("x")
    @classmethod
    def shape(cls, rows):
        if len(rows) != 100 or any(len(row) != 9 for row in rows):
            raise ValueError("100 rows of 9 numbers are wanted")
        return rows


@app.post("/infer")
async def infer(window: Window):
    values = (numpy.array(window.x, dtype=numpy.float32) - mean) / std
    if not numpy.isfinite(values).all():
        raise ValueError("a number is not finite")
    outputs = [output[0] for output in session.run(None, {feed: values[None]})]
    latent = next(output for output in outputs if len(output) == 64)
    logits = next(output for output in outputs if len(output) != 64)
    powers = numpy.exp(logits - logits.max())
    return {"latent": latent.tolist(), "motif_scores": (powers / powers.sum()).tolist()}


listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(128)
print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listener])
