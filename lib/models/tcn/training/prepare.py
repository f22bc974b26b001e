"""Picks the windows that ship from UCI HAR, and lets PyTorch answer the golden windows.

    python3 lib/models/tcn/training/prepare.py --data "UCI HAR Dataset" --weights encoder.safetensors --out contracts/edgeinfer

Writes `windows.npz` (signal int16 [n, 128, 6] in units of `scale`, m/s^2 and rad/s; label 0..5; split 0 train 1 test;
row in the data set's own files) and `golden.npz` (window float32 [n, 100, 9], latent float32 [n, 64] as PyTorch gives it
in float32, one thread; sha256 of the weights as 32 bytes). Windows of a class are spread evenly over the files, which
are ordered by person.
"""
import argparse
import hashlib
import json
import pathlib
import struct

import numpy as np
import torch
import torch.nn.functional as F

from train import Encoder, load, second

SCALE = np.array([1e-3] * 3 + [2.5e-4] * 3)


def read_safetensors(path):
    raw = path.read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    meta = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + size + at for at in entry["data_offsets"])
        values = np.frombuffer(raw[begin:end], dtype="<f2").astype(np.float32).reshape(entry["shape"])
        tensors[name] = torch.tensor(values)
    return tensors, meta


def pick(labels, per_class):
    rows = []
    for label in range(6):
        have = torch.nonzero(labels == label).flatten().numpy()
        rows += list(have[np.linspace(0, len(have) - 1, per_class).round().astype(int)])
    return np.array(sorted(rows))


def walking():
    """Two steps a second: gravity, a bounce at 2 Hz, a sway at 1 Hz, the matching turns."""
    t = np.arange(100) / 100
    window = np.zeros((100, 9))
    window[:, 0] = 9.7 + 2.5 * np.sin(2 * np.pi * 2 * t)
    window[:, 1] = -1.2 + 1.0 * np.cos(2 * np.pi * t)
    window[:, 2] = 0.8 + 0.6 * np.sin(2 * np.pi * t)
    window[:, 3] = 0.5 * np.cos(2 * np.pi * t)
    window[:, 4] = 0.3 * np.sin(2 * np.pi * 2 * t)
    window[:, 5] = 0.2 * np.cos(2 * np.pi * 2 * t)
    window[:, 6:] = [22.0, -8.0, 43.0]
    return window


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--data", type=pathlib.Path, required=True)
    args.add_argument("--weights", type=pathlib.Path, required=True)
    args.add_argument("--out", type=pathlib.Path, required=True)
    o = args.parse_args()
    parts = []
    for split, (name, per_class) in enumerate((("train", 50), ("test", 40))):
        signal, labels = load(o.data, name)
        rows = pick(labels, per_class)
        counts = np.rint(signal[rows].numpy() / SCALE)
        assert np.abs(counts).max() < 32768
        parts.append((counts.astype(np.int16), labels[rows].numpy(), np.full(len(rows), split), rows))
    signal, label, split, row = (np.concatenate(column) for column in zip(*parts))
    np.savez_compressed(o.out / "windows.npz", signal=signal, scale=SCALE.astype(np.float32),
                        label=label.astype(np.uint8), split=split.astype(np.uint8), row=row.astype(np.int32))

    torch.set_num_threads(1)
    tensors, meta = read_safetensors(o.weights)
    net = Encoder(0.0)
    net.load_state_dict({name: value for name, value in tensors.items() if not name.startswith("activity.")})
    net.eval()
    # Inertial windows as the service sees them: the shipped counts, one second from sample 38.
    test = torch.tensor((signal[split == 1][::8] * SCALE).astype(np.float32))
    real = F.pad(second(test, torch.full((len(test),), 38)), (0, 3)).numpy()
    rng = np.random.RandomState(42)
    noise = rng.uniform(-1, 1, (100, 9)) * ([10.0] * 3 + [2.0] * 3 + [100.0] * 3)
    still = np.zeros((100, 9))
    still[:, 0] = 9.80665
    windows = np.concatenate([real, np.stack([np.zeros((100, 9)), still, walking(), noise])]).astype(np.float32)
    mean, std = (np.array(json.loads(meta[key]), dtype=np.float32) for key in ("mean", "std"))
    with torch.no_grad():
        latent = net(torch.tensor((windows - mean) / std)).numpy()
    digest = np.frombuffer(hashlib.sha256(o.weights.read_bytes()).digest(), dtype=np.uint8)
    np.savez_compressed(o.out / "golden.npz", window=windows, latent=latent, weights_sha256=digest)
    print(json.dumps({"windows": len(signal), "golden": len(windows), "torch": torch.__version__,
                      "mean": mean.tolist(), "std": std.tolist()}))


if __name__ == "__main__":
    main()
