"""Brings the channels of a layer to one range, so that one int8 scale suits them all. The function stays the same.

A batch normalisation lifts every channel to a variance of one, however quiet it was: a channel that hardly speaks is
multiplied by ten or more, and so is the error of its rounding. So what lies before a normalisation is raised where it
is quiet, and the next layer takes the factor back ("Data-Free Quantization Through Weight Equalization and Bias
Correction", Nagel et al., 2019). ReLU lets a positive factor through. Channels that are always silent are cut.
"""

import torch
import torch.nn.functional as F

# A channel is raised towards this quantile of its layer's peaks, and by no more than this.
QUANTILE = 0.9
MOST = 100
# Below this variance a channel is silent: its normalisation gives a constant.
SILENT_VARIANCE = 1e-3
PARTS = ("expand", "norm1", "depthwise", "norm2")


def channel_peaks(network, mixtures):
    """The largest value of each channel behind the encoder and each layer of a block, by the layer's name."""
    peaks, hooks = {}, []

    def hook(name):
        def keep(_module, _inputs, values):
            heard = F.relu(values) if name.endswith(("expand", "depthwise")) else values.abs()
            most = heard.detach().amax((0, 2))
            peaks[name] = torch.maximum(peaks.get(name, most), most)

        return keep

    for name, module in network.named_modules():
        if name == "encoder" or name.endswith(PARTS):
            hooks.append(module.register_forward_hook(hook(name)))
    network.eval()
    with torch.no_grad():
        for i in range(0, len(mixtures), 4):
            network(mixtures[i : i + 4])
    network.train()
    for one in hooks:
        one.remove()
    return peaks


def equalised(network, weights, mixtures):
    """The exported weights with silent channels cut and quiet ones raised."""
    even = {name: tensor.clone() for name, tensor in weights.items()}
    peaks = channel_peaks(network, mixtures)

    def factors(name):
        peak = peaks[name]
        return torch.clamp(peak / torch.quantile(peak, QUANTILE), 1 / MOST, 1)

    def divide(name, by):
        even[f"{name}.weight"] /= by[:, None, None, None]
        if f"{name}.bias" in even:
            even[f"{name}.bias"] /= by

    def multiply(name, by, axis=0):
        even[f"{name}.weight"] *= by[:, None, None, None] if axis == 0 else by[None, :, None, None]

    by = factors("encoder")
    divide("encoder", by)
    multiply("masker.norm", by)
    multiply("decoder", by)
    for i, block in enumerate(network.blocks):
        silent = block.norm2.running_var < SILENT_VARIANCE
        name = f"masker.blocks.{i}"
        for part, value in (("norm2.weight", 0), ("depthwise.weight", 0), ("depthwise.bias", 0)):
            even[f"{name}.{part}"][silent] = value
        even[f"{name}.norm2.bias"][silent] = block.norm2.bias.detach()[silent]
        for part, after in (("expand", "norm1"), ("norm1", "depthwise"), ("depthwise", "norm2")):
            by = factors(f"blocks.{i}.{part}")
            divide(f"{name}.{part}", by)
            multiply(f"{name}.{after}", by)
        by = factors(f"blocks.{i}.norm2")
        divide(f"{name}.norm2", by)
        for after in ("skip", "residual"):
            if f"{name}.{after}.weight" in even:
                multiply(f"{name}.{after}", by, axis=1)
    return even
