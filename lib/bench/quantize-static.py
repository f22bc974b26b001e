"""Quantises and compiles a model as onnxruntime.quantization does, and says what it cost.

quantize-static.py MODEL.onnx SAMPLES.npy QUANTISED.onnx
"""

import json
import sys
import time

import numpy
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

model, samples, to = sys.argv[1:4]
batches = numpy.load(samples)


class Reader(CalibrationDataReader):
    def __init__(self):
        self.left = iter(batches)

    def get_next(self):
        batch = next(self.left, None)
        return None if batch is None else {"x": batch[None]}


wall, cpu = time.perf_counter(), time.process_time()
quantize_static(model, to, Reader(), quant_format=QuantFormat.QDQ, per_channel=True)
options = onnxruntime.SessionOptions()
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
options.optimized_model_filepath = to.replace(".onnx", "_compiled.onnx")
options.log_severity_level = 3
onnxruntime.InferenceSession(to, options, providers=["CPUExecutionProvider"])
print(
    json.dumps(
        {
            "cpuMs": 1000 * (time.process_time() - cpu),
            "wallMs": 1000 * (time.perf_counter() - wall),
            "version": onnxruntime.__version__,
        }
    )
)
