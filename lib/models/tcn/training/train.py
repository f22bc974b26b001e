"""Trains the TCN encoder of the EdgeInfer sidecar on UCI HAR and writes its weights as safetensors (float16).

    OMP_NUM_THREADS=1 nice python3 lib/models/tcn/training/train.py --data "UCI HAR Dataset" --out encoder.safetensors

`--data` is a folder that holds total_acc_{x,y,z}_{train,test}.txt, body_gyro_{x,y,z}_{train,test}.txt and
y_{train,test}.txt, also one level down as UCI ships them ("train/Inertial Signals"). Needs numpy and torch >= 1.13.

One example is one second: 100 samples at 100 Hz, interpolated linearly from 50 Hz, channels ax ay az gx gy gz in m/s^2
and rad/s. The three channels of the magnetometer are zero, since UCI HAR has none, and their kernels in the first block
are set to zero at the end, so that the network ignores them. The split is the one of the data set: by person.
Accuracy is told once, after the last epoch, for windows that begin at samples 0, 38 and 76 of each recording's 128.
"""
import argparse
import json
import math
import pathlib
import struct
import time

import numpy as np
import torch
import torch.nn.functional as F

GRAVITY = 9.80665
WIDTHS = (9, 64, 128, 256)
DILATIONS = (1, 2, 4)


def folder_of(data, name, split):
    for path in (data, data / split, data / split / "Inertial Signals"):
        if (path / name).exists():
            return path / name
    raise SystemExit(f'Cannot find "{name}" under {data}')


def load(data, split):
    """Windows float32[n, 128, 6] at 50 Hz in m/s^2 and rad/s, and labels 0..5."""
    signals = []
    for signal, scale in (("total_acc", GRAVITY), ("body_gyro", 1.0)):
        for axis in "xyz":
            path = folder_of(data, f"{signal}_{axis}_{split}.txt", split)
            signals.append(np.fromfile(path, sep=" ", dtype=np.float64).reshape(-1, 128) * scale)
    labels = np.fromfile(folder_of(data, f"y_{split}.txt", split), sep=" ", dtype=np.int64) - 1
    return torch.tensor(np.stack(signals, axis=2), dtype=torch.float32), torch.tensor(labels)


def second(x, offsets):
    """One second of each window, [n, 100, 6]: sample k is the signal at offset + k / 2, interpolated linearly."""
    index = offsets[:, None] + torch.arange(51)[None, :]
    cut = torch.gather(x, 1, index[:, :, None].expand(-1, -1, x.shape[2]))
    middle = (cut[:, :-1] + cut[:, 1:]) / 2
    return torch.stack([cut[:, :-1], middle], dim=2).reshape(len(x), 100, x.shape[2])


class Encoder(torch.nn.Module):
    """Three causal blocks 9 -> 64 -> 128 -> 256, kernel 3, dilations 1, 2, 4; mean over time; Linear 64."""

    def __init__(self, dropout):
        super().__init__()
        self.network = torch.nn.ModuleList()
        for into, out in zip(WIDTHS, WIDTHS[1:]):
            block = torch.nn.Module()
            block.conv1 = torch.nn.Conv1d(into, out, 3)
            block.conv2 = torch.nn.Conv1d(out, out, 3)
            block.downsample = torch.nn.Conv1d(into, out, 1)
            self.network.append(block)
        self.fc_mu = torch.nn.Linear(WIDTHS[-1], 64)
        self.dropout = dropout

    def forward(self, x):
        x = x.transpose(1, 2)
        for block, dilation in zip(self.network, DILATIONS):
            y = x
            for conv in (block.conv1, block.conv2):
                y = F.conv1d(F.pad(y, (2 * dilation, 0)), conv.weight, conv.bias, dilation=dilation)
                y = F.dropout(F.relu(y), self.dropout, self.training)
            x = F.relu(y + block.downsample(x))
        return self.fc_mu(x.mean(2))


def rotations(n, degrees):
    """Small random rotations [n, 3, 3] about random axes: how a phone sits differs from person to person."""
    axis = F.normalize(torch.randn(n, 3), dim=1)
    angle = torch.randn(n) * math.radians(degrees)
    k = torch.zeros(n, 3, 3)
    k[:, 0, 1], k[:, 0, 2], k[:, 1, 2] = -axis[:, 2], axis[:, 1], -axis[:, 0]
    k = k - k.transpose(1, 2)
    s, c = angle.sin()[:, None, None], angle.cos()[:, None, None]
    return torch.eye(3) + s * k + (1 - c) * k @ k


def write_safetensors(path, tensors, metadata):
    header, blobs, at = {"__metadata__": metadata}, [], 0
    for name, tensor in tensors.items():
        blob = tensor.half().numpy().tobytes()
        header[name] = {"dtype": "F16", "shape": list(tensor.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--data", type=pathlib.Path, required=True)
    args.add_argument("--out", type=pathlib.Path, required=True)
    args.add_argument("--epochs", type=int, default=18)
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--rotate", type=float, default=6.0, help="degrees, one standard deviation")
    args.add_argument("--holdout", action="store_true", help="score on the last fifth of the training windows instead")
    o = args.parse_args()
    torch.manual_seed(o.seed)
    torch.use_deterministic_algorithms(True)
    train, labels = load(o.data, "train")
    test, answers = load(o.data, "test")
    if o.holdout:
        edge = len(train) * 4 // 5
        train, labels, test, answers = train[:edge], labels[:edge], train[edge:], labels[edge:]
    mean, std = train.mean((0, 1)), train.std((0, 1))
    net, head = Encoder(0.2), torch.nn.Linear(64, 6)
    whole = torch.nn.ModuleDict({"net": net, "head": head})
    average = {name: value.clone() for name, value in whole.state_dict().items()}
    steps = o.epochs * math.ceil(len(train) / 64)
    optimizer = torch.optim.AdamW(whole.parameters(), 2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    started = time.time()

    def prepared(x, offsets):
        z = (second(x, offsets) - mean) / std
        return F.pad(z, (0, 3))

    for epoch in range(o.epochs):
        net.train()
        total = 0.0
        for batch in torch.randperm(len(train)).split(64):
            x = train[batch]
            n = len(x)
            turn = rotations(n, o.rotate)
            x = torch.cat([x[:, :, :3] @ turn, x[:, :, 3:] @ turn], dim=2)
            z = prepared(x, torch.randint(0, 78, (n,)))
            z = z * (1 + 0.05 * torch.randn(n, 1, 1))
            z[:, :, :6] += 0.05 * torch.randn(n, 100, 6)
            loss = F.cross_entropy(head(net(z)), labels[batch], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * n
            for name, value in whole.state_dict().items():
                average[name].lerp_(value, 0.02)
        print(f"epoch {epoch + 1}/{o.epochs} loss {total / len(train):.4f} {time.time() - started:.0f} s", flush=True)

    whole.load_state_dict(average)
    with torch.no_grad():
        net.network[0].conv1.weight[:, 6:] = 0
        net.network[0].downsample.weight[:, 6:] = 0
        for value in whole.state_dict().values():
            value.copy_(value.half().float())
    net.eval()
    votes, scores = 0, []
    with torch.no_grad():
        for offset in (0, 38, 76):
            logits = head(net(prepared(test, torch.full((len(test),), offset))))
            scores.append((logits.argmax(1) == answers).float().mean().item())
            votes = votes + logits.softmax(1)
    vote = (votes.argmax(1) == answers).float().mean().item()
    print(json.dumps({"accuracy": scores, "vote": vote, "train": len(train), "test": len(test)}))
    tensors = {name: value for name, value in net.state_dict().items()}
    tensors.update({"activity.weight": head.weight.detach(), "activity.bias": head.bias.detach()})
    write_safetensors(o.out, tensors, {
        "format": "pt",
        "mean": json.dumps([round(v, 6) for v in mean.tolist()] + [0.0] * 3),
        "std": json.dumps([round(v, 6) for v in std.tolist()] + [1.0] * 3),
        "accuracy": json.dumps(scores),
        "vote": str(vote),
        "recipe": f"epochs {o.epochs}, seed {o.seed}, rotate {o.rotate}",
    })


if __name__ == "__main__":
    main()
