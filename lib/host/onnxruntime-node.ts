/**
 * Loads the `onnxruntime-node` package, with the library's telemetry switched off.
 *
 * The official builds of ONNX Runtime queue usage events for upload: the model's file name, its graph's name and its
 * metadata, in a database under `~/.cache`. The library reads a variable when it is loaded, so every place that loads
 * it calls `switchOffOrtTelemetry` first.
 */
import type * as OnnxruntimeNode from 'onnxruntime-node'

/**
 * Keep ONNX Runtime from queueing usage events, in this process and in those that it starts. Works on the main thread
 * only: the environment of a worker thread is a copy that native code does not see.
 */
export function switchOffOrtTelemetry(): void {
  process.env.ORT_DISABLE_TELEMETRY = '1'
}

/**
 * The package, loaded at the first call.
 * @throws Error of the loader when the package or its library is absent
 */
export function onnxruntimeNode(): Promise<typeof OnnxruntimeNode> {
  switchOffOrtTelemetry()
  return import('onnxruntime-node')
}
