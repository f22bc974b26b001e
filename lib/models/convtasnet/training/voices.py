"""Turns unpacked Debian packages into training speech and held-out mixtures.

    python3 voices.py UNPACKED DATA

UNPACKED holds one folder for each package of voices.json, as `dpkg-deb -x` leaves it. DATA receives, for each trained
voice, `<voice>-train.npy` (int16, 16 kHz, all prompts that are not held out, one after the other), and for each set of
mixtures `<set>.npy` (float32 [mixtures, 2, samples]: the two clean voices; their sum is the mixture). What each voice
brings goes to stdout and into `voices.ndjson`.

Prompts are held out by their words: a held-out prompt shares less than half of its words with every other prompt whose
words are known, so that no sentence of a test was heard in training under another name.
"""

import json
import os
import subprocess
import sys
import tempfile
import wave

import numpy as np

RATE = 16_000
TRIM_DB = -32
FRAME = 320
FILES_AT_ONCE = 64
MIXTURE_SECONDS = 3
DIFFERENCE_DB = 5
# Level of each voice of a mixture before the difference, as RMS of full scale: -22 dBFS.
LEVEL_RMS = 0.08
# A crop quieter than this is a pause, not speech.
SPEECH_RMS = 0.005
MIXTURES_SEED = 7

HERE = os.path.dirname(os.path.abspath(__file__))


def recipe():
    """The packages, the held-out prompts and the sets of mixtures."""
    with open(os.path.join(HERE, "voices.json"), encoding="utf8") as file:
        return json.load(file)


def trimmed(samples):
    """Without what is more than 32 dB below the loudest 20 ms at either end."""
    frames = len(samples) // FRAME
    if frames == 0:
        return samples[:0]
    power = (samples[: frames * FRAME].astype(float).reshape(frames, FRAME) ** 2).mean(1)
    level = 10 * np.log10(power + 1e-9)
    loud = np.nonzero(level > level.max() + TRIM_DB)[0]
    return samples[max(0, loud[0] - 1) * FRAME : (loud[-1] + 2) * FRAME]


def read_wav(path):
    """A WAV file of 16 kHz, 16 bits, one channel, as int16 samples."""
    with wave.open(path) as file:
        form = (file.getframerate(), file.getsampwidth(), file.getnchannels())
        if form != (RATE, 2, 1):
            raise ValueError(f"{path}: expected 16 kHz, 16 bit, mono, found {form}")
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def read_g722(paths):
    """Prompts in G.722 as int16 samples, many in each run of ffmpeg: its start costs more than its work."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for begin in range(0, len(paths), FILES_AT_ONCE):
            some = paths[begin : begin + FILES_AT_ONCE]
            raws = [os.path.join(folder, f"{i}.raw") for i in range(len(some))]
            command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-threads", "1"]
            for path in some:
                command += ["-f", "g722", "-i", path]
            for i, raw in enumerate(raws):
                command += ["-map", str(i), "-f", "s16le", "-ac", "1", "-ar", str(RATE), raw]
            subprocess.run(command, check=True)
            found += [np.fromfile(raw, "<i2") for raw in raws]
    return found


def prompts(unpacked, voice):
    """Every prompt of a voice by its name, trimmed, in the order of the names."""
    folder = os.path.join(unpacked, voice["package"], voice["folder"])
    suffix = voice["suffix"]
    names = sorted(
        os.path.relpath(os.path.join(where, name), folder)[: -len(suffix)]
        for where, _, files in os.walk(folder)
        for name in files
        if name.endswith(suffix)
    )
    spoken = [name for name in names if name not in voice.get("excluded", []) and not name.startswith("silence/")]
    paths = [os.path.join(folder, name + suffix) for name in spoken]
    read = [read_wav(path) for path in paths] if suffix == ".wav" else read_g722(paths)
    return {name: trimmed(samples) for name, samples in zip(spoken, read)}


def crop(samples, length, rng):
    """A piece of speech without its mean, at an RMS of one; pauses are drawn again."""
    while True:
        start = rng.integers(0, len(samples) - length)
        piece = samples[start : start + length].astype(np.float32) / 32768
        piece -= piece.mean()
        rms = float(np.sqrt((piece**2).mean()))
        if rms > SPEECH_RMS:
            return piece / rms


def pair(first, second, level_db, difference_db):
    """Two crops as the voices of one mixture, float32 [2, samples]; the first is `difference_db` louder."""
    gain = LEVEL_RMS * 10 ** (level_db / 20)
    half = 10 ** (difference_db / 40)
    return np.stack([first * gain * half, second * gain / half])


def mixtures(first, second, count):
    """Mixtures of 3 s from two lists of prompts, -5 to +5 dB in even steps: float32 [count, 2, samples]."""
    rng = np.random.default_rng(MIXTURES_SEED)
    length = MIXTURE_SECONDS * RATE
    both = [[one for one in voice if len(one) >= length] for voice in (first, second)]
    made = []
    for i in range(count):
        crops = [crop(np.append(voice[i % len(voice)], 0), length, rng) for voice in both]
        made.append(pair(*crops, 0, -DIFFERENCE_DB + 2 * DIFFERENCE_DB * i / (count - 1)))
    return np.stack(made).astype(np.float32)


def main(unpacked, out):
    what = recipe()
    os.makedirs(out, exist_ok=True)
    voices = {**what["trained"], **what["strangers"]}
    spoken = {}
    for name, voice in voices.items():
        spoken[name] = prompts(unpacked, voice)
        held = set(voice.get("test", [])) | set(voice.get("validation", []))
        minutes = sum(map(len, spoken[name].values())) / RATE / 60
        if name in what["trained"]:
            kept = [samples for prompt, samples in spoken[name].items() if prompt not in held]
            np.save(os.path.join(out, f"{name}-train.npy"), np.concatenate(kept))
        facts = {"voice": name, "prompts": len(spoken[name]), "held": len(held), "minutes": round(minutes, 2)}
        print(json.dumps(facts), flush=True)
        with open(os.path.join(out, "voices.ndjson"), "a", encoding="utf8") as file:
            file.write(json.dumps(facts) + "\n")
    for name, one in what["mixtures"].items():
        lists = [
            [spoken[voice][prompt] for prompt in voices[voice].get(one["prompts"], spoken[voice])]
            for voice in one["voices"]
        ]
        np.save(os.path.join(out, f"{name}.npy"), mixtures(*lists, one["count"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
