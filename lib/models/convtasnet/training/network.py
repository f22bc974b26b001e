"""The project's ConvTasNet in PyTorch: the network that is trained, and the same arithmetic on the exported weights.

`lib/models/convtasnet/graph.ts` authors the graph that runs; `weight-specs.ts` lists the names. While it learns, a batch
normalisation stands where the graph has an affine layer; at export each is folded into its scale and its offset.
"""

import torch
from torch import nn
import torch.nn.functional as F

TAPS = 3


class Block(nn.Module):
    """One dilated block: [batch, bottleneck, frames] to the next residual stream and this block's skip."""

    def __init__(self, bottleneck, hidden, skip, dilation, is_last):
        super().__init__()
        pad = dilation * (TAPS - 1) // 2
        self.expand = nn.Conv1d(bottleneck, hidden, 1)
        self.norm1 = nn.BatchNorm1d(hidden)
        self.depthwise = nn.Conv1d(hidden, hidden, TAPS, dilation=dilation, padding=pad, groups=hidden)
        self.norm2 = nn.BatchNorm1d(hidden)
        self.residual = None if is_last else nn.Conv1d(hidden, bottleneck, 1)
        self.skip = nn.Conv1d(hidden, skip, 1)

    def forward(self, stream):
        inner = self.norm1(F.relu(self.expand(stream)))
        inner = self.norm2(F.relu(self.depthwise(inner)))
        return None if self.residual is None else stream + self.residual(inner), self.skip(inner)


class ConvTasNet(nn.Module):
    """Mixtures [batch, samples] to two sources [batch, 2, samples]; samples are a multiple of half the kernel."""

    def __init__(self, filters, bottleneck, hidden, skip, blocks, repeats, kernel):
        super().__init__()
        self.filters = filters
        half = kernel // 2
        dilations = [2 ** (i % blocks) for i in range(blocks * repeats)]
        self.encoder = nn.Conv1d(1, filters, kernel, stride=half, padding=half, bias=False)
        self.norm = nn.BatchNorm1d(filters)
        self.bottleneck = nn.Conv1d(filters, bottleneck, 1)
        self.blocks = nn.ModuleList(
            Block(bottleneck, hidden, skip, dilation, i == len(dilations) - 1) for i, dilation in enumerate(dilations)
        )
        self.mask = nn.Conv1d(skip, 2 * filters, 1)
        self.decoder = nn.ConvTranspose1d(filters, 1, kernel, stride=half, padding=half, bias=False)

    def forward(self, mixtures):
        frames = self.encoder(mixtures[:, None])
        stream, skips = self.bottleneck(self.norm(frames)), 0
        for block in self.blocks:
            stream, skip = block(stream)
            skips = skips + skip
        batch, _, count = frames.shape
        masks = torch.sigmoid(self.mask(skips)).view(batch, 2, self.filters, count)
        masked = (masks * frames[:, None]).reshape(2 * batch, self.filters, count)
        return self.decoder(masked).view(batch, 2, -1)

    def exported(self, gains=(1.0, 1.0), is_swapped=False):
        """The weights by the project's names as float32 tensors. `gains` scale the two sources, after a swap of both."""
        weights = {"encoder.weight": one_row(self.encoder.weight)}
        weights.update(affine("masker.norm", self.norm))
        weights.update(layer("masker.bottleneck", self.bottleneck))
        for i, block in enumerate(self.blocks):
            for part in ("expand", "norm1", "depthwise", "norm2", "residual", "skip"):
                module, name = getattr(block, part), f"masker.blocks.{i}.{part}"
                if module is not None:
                    weights.update(affine(name, module) if part.startswith("norm") else layer(name, module))
        weights.update(layer("masker.mask", self.mask))
        if is_swapped:
            for part in ("masker.mask.weight", "masker.mask.bias"):
                weights[part] = weights[part].roll(self.filters, 0)
        same = torch.eye(self.filters)
        weights["source_projector.weight"] = torch.cat([gain * same for gain in gains])[:, :, None, None]
        weights["decoder.weight"] = one_row(self.decoder.weight)
        return {name: tensor.detach().clone().contiguous() for name, tensor in weights.items()}


def one_row(weight):
    """A kernel of one dimension as the graph has it: [out, in, taps] to [out, in, 1, taps]."""
    return weight[:, :, None, :]


def layer(name, conv):
    return {f"{name}.weight": one_row(conv.weight), f"{name}.bias": conv.bias}


def affine(name, norm):
    """A batch normalisation as the scale and the offset of each channel, from its running mean and variance."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return {f"{name}.weight": scale[:, None, None, None], f"{name}.bias": norm.bias - norm.running_mean * scale}


def answer(weights, mixtures):
    """What the exported weights answer, computed without the modules above: [batch, 2, samples]."""

    def conv(name, stream, **options):
        weight, bias = weights[f"{name}.weight"], weights.get(f"{name}.bias")
        return F.conv2d(stream, weight, bias, **options)

    encoder, decoder = weights["encoder.weight"], weights["decoder.weight"]
    filters, kernel = encoder.shape[0], encoder.shape[3]
    frames = conv("encoder", mixtures[:, None, None], stride=(1, kernel // 2), padding=(0, kernel // 2))
    stream, skips = conv("masker.bottleneck", conv("masker.norm", frames, groups=filters)), 0
    names = sorted({int(name.split(".")[2]) for name in weights if name.startswith("masker.blocks.")})
    for i in names:
        block, hidden = f"masker.blocks.{i}", weights[f"masker.blocks.{i}.expand.weight"].shape[0]
        inner = conv(f"{block}.norm1", F.relu(conv(f"{block}.expand", stream)), groups=hidden)
        inner = conv(f"{block}.depthwise", inner, dilation=(1, 2**i), padding=(0, 2**i), groups=hidden)
        inner = conv(f"{block}.norm2", F.relu(inner), groups=hidden)
        skips = skips + conv(f"{block}.skip", inner)
        if f"{block}.residual.weight" in weights:
            stream = stream + conv(f"{block}.residual", inner)
    masked = torch.sigmoid(conv("masker.mask", skips)) * conv("source_projector", frames)
    both = masked.reshape(-1, filters, 1, masked.shape[3])
    sources = F.conv_transpose2d(both, decoder, stride=(1, kernel // 2), padding=(0, kernel // 2))
    return sources.reshape(mixtures.shape[0], 2, -1)
