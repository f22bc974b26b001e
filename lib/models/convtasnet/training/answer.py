"""Writes what exported weights answer in PyTorch, to be compared with the graph that the project authors.

    python3 answer.py WEIGHTS.safetensors MIXTURES.npy COUNT ANSWERS.npy

MIXTURES is float32 [mixtures, 2, samples], as voices.py wrote it; ANSWERS becomes float32 [COUNT, 2, samples].
"""

import sys

import numpy as np
import torch

import safetensors
from network import answer


def main(weights, mixtures, count, out):
    torch.set_num_threads(1)
    tensors = {name: torch.from_numpy(array.copy()) for name, array in safetensors.read(weights).items()}
    targets = torch.from_numpy(np.load(mixtures)[: int(count)])
    with torch.no_grad():
        np.save(out, answer(tensors, targets.sum(1)).numpy())


if __name__ == "__main__":
    main(*sys.argv[1:])
