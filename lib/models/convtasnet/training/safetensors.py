"""Reads and writes .safetensors: eight bytes of length, a JSON header, the numbers."""

import json
import struct

import numpy as np

TYPES = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}


def write(path, arrays):
    """Write float32 and float16 arrays by name, in the order of the names."""
    header, parts, at = {}, [], 0
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        dtype = next(kind for kind, known in TYPES.items() if known == array.dtype)
        parts.append(array.tobytes())
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [at, at + len(parts[-1])]}
        at += len(parts[-1])
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(parts))


def read(path):
    """The arrays of a file by name, as float32."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    body = data[8 + length :]
    return {
        name: np.frombuffer(body[slice(*one["data_offsets"])], TYPES[one["dtype"]])
        .reshape(one["shape"])
        .astype(np.float32)
        for name, one in json.loads(data[8 : 8 + length]).items()
        if name != "__metadata__"
    }
