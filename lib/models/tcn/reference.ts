/**
 * Computes the TCN encoder in plain float64 loops: a second opinion that shares no code with any runtime or graph.
 *
 * Slow (about 0.1 s a window) and exact enough to judge float32: what golden latents of other weights than the shipped
 * ones are made with.
 */
import { latentSize, tcnDilations, tcnKernel, windowShape, type TcnWeights } from './weights.ts'

/** The latent [64] of one standardised window, row-major [100, 9]. */
export function referenceLatent(weights: TcnWeights, window: Float32Array): Float64Array {
  const [samples, channels] = windowShape
  let rows = Array.from({ length: channels }, (_, c) =>
    Float64Array.from({ length: samples }, (_, t) => window[t * channels + c]!),
  )
  for (const [i, dilation] of tcnDilations.entries()) {
    const conv = (name: string, input: Float64Array[], taps: number) =>
      causal(input, { weights, name: `network.${i}.${name}`, taps, dilation: taps === 1 ? 1 : dilation })
    const hidden = relu(conv('conv2', relu(conv('conv1', rows, tcnKernel)), tcnKernel))
    const residual = conv('downsample', rows, 1)
    rows = relu(hidden.map((row, c) => row.map((value, t) => value + residual[c]![t]!)))
  }
  const means = rows.map(row => row.reduce((sum, value) => sum + value, 0) / samples)
  const weight = weights.get('fc_mu.weight')!.data
  const bias = weights.get('fc_mu.bias')!.data
  return Float64Array.from({ length: latentSize }, (_, k) =>
    means.reduce((sum, mean, j) => sum + weight[k * means.length + j]! * mean, bias[k]!),
  )
}

const relu = (rows: Float64Array[]) => rows.map(row => row.map(value => Math.max(0, value)))

/** y[o][t] = bias[o] + Σ weight[o][i][k] · x[i][t - (taps - 1 - k) · dilation], zero before the window. */
function causal(
  input: readonly Float64Array[],
  o: { weights: TcnWeights; name: string; taps: number; dilation: number },
): Float64Array[] {
  const { data } = o.weights.get(`${o.name}.weight`)!
  const bias = o.weights.get(`${o.name}.bias`)!.data
  const samples = input[0]!.length
  return Array.from(bias, (start, out) => {
    const row = new Float64Array(samples).fill(start)
    for (const [i, values] of input.entries()) {
      for (let k = 0; k < o.taps; k++) {
        const w = data[(out * input.length + i) * o.taps + k]!
        const past = (o.taps - 1 - k) * o.dilation
        for (let t = past; t < samples; t++) row[t]! += w * values[t - past]!
      }
    }
    return row
  })
}
