/**
 * Compares a compiled model with the float32 model on samples that calibration has not seen.
 */
import { performance } from 'node:perf_hooks'
import { RunbookError } from '../base/errors.ts'
import { dimsOf, type ModelProto } from '../formats/onnx/index.ts'
import type { Tensor } from '../formats/tensors/tensor.ts'
import { indexOfNonFinite, type Backend, type Feeds, type Results } from '../infer/backend.ts'
import { SnrSum } from '../signal/snr.ts'
import { readCalibration } from './calibration-file.ts'

/** What is compared. */
export interface Comparison {
  readonly actual: Backend
  readonly expected: Backend
  /** Outputs that count. */
  readonly outputs: readonly string[]
  readonly samples: readonly Feeds[]
  readonly info: (line: string) => void
}

/**
 * Ask both models about every sample.
 * @returns `snrDb` of the worst output and of each, `agreement` for outputs that are no floats, and the latency
 * @throws RunbookError fail when one of them answers NaN or infinity
 */
export async function compareOnSamples(o: Comparison): Promise<Record<string, number>> {
  const likeness = new Map(o.outputs.map(name => [name, new Likeness()]))
  const latencies: number[] = []
  await o.actual.infer(o.samples[0]!)
  for (const sample of o.samples) {
    const expected = copied(await o.expected.infer(sample))
    const startedMs = performance.now()
    const actual = await o.actual.infer(sample)
    latencies.push(performance.now() - startedMs)
    for (const [name, sum] of likeness) {
      refuseNonFinite(name, { actual: actual[name]!, expected: expected[name]! })
      sum.push(actual[name]!, expected[name]!)
    }
  }
  const snrs: Record<string, number> = {}
  for (const [i, [name, sum]] of [...likeness].entries()) {
    const { metric, value } = sum.result()
    o.info(
      `output_layer${i + 1} ${metric === 'snrDb' ? `SNR:\t${value.toFixed(3)} dB` : `agreement:\t${value}`} ${name}`,
    )
    // An output that is the same in every bit has no noise, and a silent one no signal: neither has a number of dB.
    if (Number.isFinite(value)) snrs[`${metric}.${name}`] = value
  }
  const worst = Object.entries(snrs).flatMap(([name, value]) => (name.startsWith('snrDb.') ? [value] : []))
  return {
    ...(likeness.size > 1 ? snrs : {}),
    ...(worst.length > 0 ? { snrDb: Math.min(...worst) } : {}),
    latencyMsP50: latencies.toSorted((a, b) => a - b)[Math.floor(latencies.length / 2)]!,
    heldOutSamples: o.samples.length,
  }
}

/** NaN has no noise to measure, and would drop out of every comparison. */
function refuseNonFinite(name: string, o: { actual: Tensor; expected: Tensor }): void {
  for (const [of, { data }] of Object.entries(o)) {
    if (!(data instanceof Float32Array) || indexOfNonFinite(data) < 0) continue
    const which = of === 'actual' ? 'compiled' : 'float32'
    throw new RunbookError('fail', `The ${which} model answers NaN or infinity in "${name}"`, 'look at the weights')
  }
}

/** How far an output of the int8 model is from the float32 model's: SNR for float32, the share of equal values else. */
class Likeness {
  readonly #snr = new SnrSum()
  #equal = 0
  #count = 0
  #isFloat = true

  push(actual: Tensor, expected: Tensor): void {
    this.#isFloat = expected.data instanceof Float32Array
    if (this.#isFloat) return this.#snr.push(actual.data as Float32Array, expected.data as Float32Array)
    for (const [i, value] of expected.data.entries()) this.#equal += actual.data[i] === value ? 1 : 0
    this.#count += expected.data.length
  }

  result(): { metric: 'snrDb' | 'agreement'; value: number } {
    if (this.#isFloat) return { metric: 'snrDb', value: this.#snr.db() }
    return { metric: 'agreement', value: this.#equal / this.#count }
  }
}

/** Results outlive the next inference only as copies. */
const copied = (results: Results): Results =>
  Object.fromEntries(
    Object.entries(results).map(([name, { data, ...rest }]) => [name, { ...rest, data: data.slice() }]),
  )

/** The graph's inputs, every dimension a number. */
export function inputsOf(model: ModelProto): { name: string; shape: number[] }[] {
  const weights = new Set(model.graph!.initializer.map(({ name }) => name))
  return model
    .graph!.input.filter(({ name }) => !weights.has(name))
    .map(value => ({ name: value.name, shape: dimsOf(value).map(Number) }))
}

/**
 * Samples of a calibration file: one in five, at least one, is kept back to measure with; a single one serves for both.
 */
export async function splitSamples(
  path: string,
  inputs: ReturnType<typeof inputsOf>,
): Promise<{ used: Feeds[]; heldOut: Feeds[] }> {
  const samples = await readCalibration(path, inputs)
  const held = Math.max(1, Math.floor(samples.length / 5))
  return {
    used: samples.length > 1 ? samples.slice(0, samples.length - held) : samples,
    heldOut: samples.slice(samples.length - held),
  }
}
