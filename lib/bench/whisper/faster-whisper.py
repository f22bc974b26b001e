"""Transcribes raw float32 samples with faster-whisper, and prints what it cost as one line of JSON.

python3 faster-whisper.py MODEL_FOLDER SAMPLES COMPUTE_TYPE REPEATS
"""

import json
import sys
import time

import numpy
from faster_whisper import WhisperModel

folder, samples_path, compute_type, repeats = sys.argv[1:5]
samples = numpy.fromfile(samples_path, dtype=numpy.float32)
model = WhisperModel(folder, device="cpu", compute_type=compute_type, cpu_threads=1, num_workers=1)
runs = []
for _ in range(int(repeats)):
    wall, cpu = time.perf_counter(), time.process_time()
    segments, _info = model.transcribe(samples, language="en", beam_size=1, temperature=0.0)
    found = list(segments)
    tokens = sum(len(segment.tokens) for segment in found)
    runs.append({
        "wallMs": 1000 * (time.perf_counter() - wall),
        "cpuMs": 1000 * (time.process_time() - cpu),
        "tokens": tokens,
        "text": "".join(segment.text for segment in found).strip(),
    })
print(json.dumps(runs))
