/**
 * Rungs R8 and R9: TensorRT engines against the reference, in float32 and in lower precisions.
 *
 * They need a GPU with TensorRT. Without one they are blocked, which is never a pass.
 */
import { compareArgmax } from '../../../../parity/argmax.ts'
import { compare } from '../../../../parity/compare.ts'
import { firstAlong } from '../../../../parity/region.ts'
import type { FloatTensor } from '../../../../formats/tensors/tensor.ts'
import { widened } from '../../../../formats/tensors/half.ts'
import type { ParakeetContract } from '../../contract/read.ts'
import type { CaseSource } from '../cases.ts'
import { readPolygraphy } from '../polygraphy.ts'
import type { Precision } from '../precisions.ts'
import type { ParitySide } from '../side.ts'
import { answered, Findings, type Rung, type RungResult } from './result.ts'

/** What the rung of a precision asks. */
export const engineRung = (precision: Precision, { tolerances: { trt } }: ParakeetContract): Rung => ({
  rung: precision === 'fp32' ? 'R8' : 'R9',
  asks: `do ${precision} engines give the reference${precision === 'fp32' ? ', with TF32 off' : ''}?`,
  tolerance:
    precision === 'fp32'
      ? `encoder p95 ${trt.encoder_output_p95_max_abs}, max ${trt.encoder_output_p100_max_abs}`
      : `encoder p95 ${trt[`${precision}_encoder_output_p95_max_abs`]}; no choice flips that the reference had decided`,
})

/**
 * The engines of one precision against the reference: percentiles of the encoder's error, and flips of choices apart.
 * @throws RunbookError blocked when TensorRT or a plan is absent
 */
export async function rungEngines(
  side: ParitySide,
  source: CaseSource,
  contract: ParakeetContract,
  precision: Precision,
): Promise<RungResult> {
  const { trt } = contract.tolerances
  const p95Max = (
    precision === 'fp32' ? trt.encoder_output_p95_max_abs : trt[`${precision}_encoder_output_p95_max_abs`]
  )!
  const atol = precision === 'fp32' ? trt.encoder_output_p100_max_abs! : p95Max * 10
  const findings = new Findings()
  for await (const c of source.cases('encoder')) {
    const got = await side.encode(c.tensor('audio'), Number(c.facts.length))
    const want = c.tensor('outputs')
    const region = firstAlong(want.shape, 2, Number(c.facts.encoded))
    const found = compare(got.outputs.data, want.data, { atol, rtol: 0, region })
    findings.note(`encoder ${c.name}`, found)
    if (!(found.absolute.p95 <= p95Max)) findings.say(`encoder ${c.name}: p95 ${found.absolute.p95} above ${p95Max}`)
  }
  let [tokenFlips, durationFlips, rows] = [0, 0, 0]
  for await (const c of source.cases('joint')) {
    const [got, want] = [await side.join(c.tensor('rows'), c.tensor('g')), c.tensor('logits')]
    const split = side.meta.tokenizer.vocab_size + 1
    const width = want.shape[1]!
    const tokens = compareArgmax(got.data, want.data, { width, to: split, atol: p95Max })
    const durations = compareArgmax(got.data, want.data, { width, from: split, atol: p95Max })
    rows += tokens.rows
    tokenFlips += tokens.flips
    durationFlips += durations.flips
    if (tokens.flips > tokens.excusable) findings.say(`joint step ${c.name}: a token flipped that was decided`)
    if (durations.flips > durations.excusable) findings.say(`joint step ${c.name}: a duration flipped that was decided`)
  }
  const metrics = {
    ...findings.metrics(),
    token_stability: 1 - tokenFlips / Math.max(rows, 1),
    duration_stability: 1 - durationFlips / Math.max(rows, 1),
  }
  return answered(engineRung(precision, contract), { ...findings, metrics, series: { max_abs: findings.errors } })
}

/**
 * R8 from outputs that polygraphy saved of two runners, such as TensorRT and ONNX Runtime, on another machine.
 * @throws RunbookError blocked when the file is absent; usage when it holds no arrays
 */
export function rungPolygraphy(path: string, contract: ParakeetContract): RungResult {
  const { trt } = contract.tolerances
  const byName = new Map<string, Map<string, FloatTensor>>()
  for (const [key, tensor] of readPolygraphy(path)) {
    const [runner, ...name] = key.split('/') as [string, ...string[]]
    const runners = byName.get(name.join('/')) ?? new Map<string, FloatTensor>()
    byName.set(name.join('/'), runners.set(runner, widened(key, tensor)))
  }
  const findings = new Findings()
  for (const [name, runners] of byName) {
    const [want, ...others] = [...runners]
    for (const [runner, got] of others) {
      const found = compare(got.data, want![1].data, { atol: trt.encoder_output_p100_max_abs!, rtol: 0 })
      findings.note(`${name} of ${runner} against ${want![0]}`, found)
    }
  }
  return answered(engineRung('fp32', contract), { ...findings, metrics: findings.metrics() })
}
