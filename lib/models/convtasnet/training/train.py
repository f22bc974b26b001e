"""Trains the ConvTasNet on two voices and exports its weights under the project's names.

    python3 train.py --data DATA --out OUT --config 128,64,128,64,6,1 --kernel 128 --cpu-seconds 240

DATA is what voices.py made. One JSON object a line goes to stdout: facts, progress, results. The rate of learning is
constant for 40 % of the budget and falls to zero in a straight line after it; the budget is what runs out first of
--steps, --cpu-seconds and --wall-seconds. SIGTERM ends the training early, and the weights of that moment are exported.
OUT receives weights.safetensors (float16), weights-float32.safetensors, checkpoint.pt, and log.ndjson, the lines of
stdout.
"""

import argparse
import json
import os
import signal
import time

import numpy as np
import torch

import safetensors
from equalise import equalised
from network import ConvTasNet
from voices import RATE, crop, pair

CROP_SECONDS = 2
BATCH = 4
RATE_OF_LEARNING = 4e-3
CONSTANT_SHARE = 0.4
CLIP = 5
LEVEL_DB = 6
DIFFERENCE_DB = 5
GAIN_BATCHES = 16
FLOAT16_MAX = 65504


def si_sdr(estimates, targets):
    """Scale-invariant signal-to-distortion ratio in dB over the last axis, both without their mean."""
    estimates = estimates - estimates.mean(-1, keepdim=True)
    targets = targets - targets.mean(-1, keepdim=True)
    scale = (estimates * targets).sum(-1, keepdim=True) / ((targets * targets).sum(-1, keepdim=True) + 1e-8)
    wanted = scale * targets
    return 10 * torch.log10(((wanted**2).sum(-1) + 1e-8) / (((estimates - wanted) ** 2).sum(-1) + 1e-8))


def best_order(estimates, targets):
    """The mean SI-SDR of each mixture in the order of the sources that suits it best, and whether that is swapped."""
    straight = si_sdr(estimates, targets).mean(-1)
    swapped = si_sdr(estimates.flip(1), targets).mean(-1)
    return torch.maximum(straight, swapped), swapped > straight


def answers(network, mixtures):
    """What the network answers in evaluation, a few mixtures at a time."""
    network.eval()
    with torch.no_grad():
        found = torch.cat([network(mixtures[i : i + 4]) for i in range(0, len(mixtures), 4)])
    network.train()
    return found


def improvement(network, targets):
    """SI-SDR over that of the mixture, one value a mixture in dB, and the share of swapped sources."""
    mixtures = targets.sum(1)
    score, swapped = best_order(answers(network, mixtures), targets)
    return score - si_sdr(mixtures[:, None].expand_as(targets), targets).mean(-1), float(swapped.float().mean())


def source_gains(network, batches):
    """The gains that bring the woman's and the man's source to their levels, and whether the network swaps them."""
    above, below, share = torch.zeros(2), torch.zeros(2), 0.0
    found = [(answers(network, targets.sum(1)), targets) for targets in batches]
    for estimates, targets in found:
        share += float(best_order(estimates, targets)[1].float().mean()) / len(found)
    is_swapped = share > 0.5
    for estimates, targets in found:
        ordered = estimates.flip(1) if is_swapped else estimates
        above += (ordered * targets).sum((0, 2))
        below += (ordered**2).sum((0, 2))
    return (above / below).tolist(), is_swapped


def export(network, batches, out):
    """Write the weights in both precisions, the woman first, and give the gains."""
    gains, is_swapped = source_gains(network, batches)
    mixtures = torch.cat([targets.sum(1) for targets in batches])
    weights = equalised(network, network.exported(gains, is_swapped), mixtures)
    arrays = {name: tensor.numpy() for name, tensor in weights.items()}
    largest = max(float(np.abs(array).max()) for array in arrays.values())
    if not largest < FLOAT16_MAX:
        raise ValueError(f"a weight of {largest} does not fit float16")
    safetensors.write(os.path.join(out, "weights-float32.safetensors"), arrays)
    halves = {name: array.astype(np.float16) for name, array in arrays.items()}
    safetensors.write(os.path.join(out, "weights.safetensors"), halves)
    return gains


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--config", default="128,64,128,64,6,1")
    parser.add_argument("--kernel", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=10**9)
    parser.add_argument("--cpu-seconds", type=float, default=1e9)
    parser.add_argument("--wall-seconds", type=float, default=1e9)
    parser.add_argument("--every-seconds", type=float, default=20)
    parser.add_argument("--from-checkpoint", help="export this checkpoint and train no further")
    return parser.parse_args()


def say(out, **facts):
    """One line of facts, to stdout and into the log of this training."""
    line = json.dumps(facts)
    print(line, flush=True)
    with open(os.path.join(out, "log.ndjson"), "a", encoding="utf8") as file:
        file.write(line + "\n")


class Mixer:
    """Batches of random crops of two voices: float32 [batch, 2, samples]."""

    def __init__(self, data, rng):
        self.voices = [np.load(os.path.join(data, f"{voice}-train.npy")) for voice in ("woman", "man")]
        self.rng = rng

    def one(self):
        crops = [crop(voice, CROP_SECONDS * RATE, self.rng) for voice in self.voices]
        level = self.rng.uniform(-LEVEL_DB, LEVEL_DB)
        return pair(*crops, level, self.rng.uniform(-DIFFERENCE_DB, DIFFERENCE_DB))

    def batch(self):
        return torch.from_numpy(np.stack([self.one() for _ in range(BATCH)]))


def train(network, mixer, validation, given):
    """Learn until the budget is spent; gives steps, CPU seconds and wall seconds."""
    optimiser = torch.optim.Adam(network.parameters(), RATE_OF_LEARNING)
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    began, said, step, losses = time.time(), time.time(), 0, []
    while not stopped:
        wall, cpu = time.time() - began, time.process_time()
        spent = max(step / given.steps, cpu / given.cpu_seconds, wall / given.wall_seconds)
        if spent >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = RATE_OF_LEARNING * min(1, (1 - spent) / (1 - CONSTANT_SHARE))
        targets = mixer.batch()
        loss = -best_order(network(targets.sum(1)), targets)[0].mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimiser.step()
        step += 1
        losses.append(float(loss))
        if time.time() - said > given.every_seconds:
            gained, swapped = improvement(network, validation)
            torch.save({"net": network.state_dict(), "step": step}, os.path.join(given.out, "checkpoint.pt"))
            said = time.time()
            facts = {"step": step, "cpu": round(time.process_time(), 1), "wall": round(said - began, 1)}
            facts |= {"spent": round(spent, 4), "loss": round(float(np.mean(losses)), 3), "swapped": swapped}
            say(given.out, **facts, val=round(float(gained.mean()), 2), vmin=round(float(gained.min()), 2))
            losses = []
    torch.save({"net": network.state_dict(), "step": step}, os.path.join(given.out, "checkpoint.pt"))
    return {"steps": step, "cpu_seconds": round(time.process_time(), 1), "wall_seconds": round(time.time() - began, 1)}


def main():
    given = arguments()
    os.makedirs(given.out, exist_ok=True)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(given.seed)
    mixer = Mixer(given.data, np.random.default_rng(given.seed))
    network = ConvTasNet(*map(int, given.config.split(",")), given.kernel)
    sets = {name: torch.from_numpy(np.load(os.path.join(given.data, f"{name}.npy"))) for name in ("validation", "test")}
    parameters = sum(weight.numel() for weight in network.parameters())
    say(given.out, config=given.config, kernel=given.kernel, seed=given.seed, trained_parameters=parameters)
    if given.from_checkpoint:
        state = torch.load(given.from_checkpoint, map_location="cpu")
        network.load_state_dict(state["net"])
        spent = {"steps": state["step"]}
    else:
        spent = train(network, mixer, sets["validation"], given)
    gains = export(network, [mixer.batch() for _ in range(GAIN_BATCHES)], given.out)
    for name, targets in sets.items():
        gained, swapped = improvement(network, targets)
        values = {"mean": float(gained.mean()), "median": float(gained.median()), "min": float(gained.min())}
        say(given.out, set=name, swapped=swapped, **{key: round(value, 3) for key, value in values.items()})
    say(given.out, done=True, gains=gains, **spent)


if __name__ == "__main__":
    main()
