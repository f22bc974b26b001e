/**
 * Rungs R2 and R3: each component by itself, and the predictor fed with its own state over many tokens.
 */
import { compareArgmax } from '../../../../parity/argmax.ts'
import { compare } from '../../../../parity/compare.ts'
import { firstAlong } from '../../../../parity/region.ts'
import type { ParakeetContract } from '../../contract/read.ts'
import type { CaseSource } from '../cases.ts'
import { zeroState, type ParitySide } from '../side.ts'
import { answered, Findings, type RungResult } from './result.ts'

const shown = ({ atol, rtol }: { atol: number; rtol: number }) =>
  `atol ${atol} + rtol ${rtol}·|want| (contract /tolerances/ort)`

/** R2: encoder, predictor and joint against the reference, each fed with the reference's own inputs. */
export async function rungComponents(
  side: ParitySide,
  source: CaseSource,
  { tolerances }: ParakeetContract,
): Promise<RungResult> {
  const findings = new Findings()
  const { ort } = tolerances
  for await (const c of source.cases('encoder')) {
    const [length, encoded] = [Number(c.facts.length), Number(c.facts.encoded)]
    const got = await side.encode(c.tensor('audio'), length)
    const want = c.tensor('outputs')
    if (got.length !== encoded) findings.say(`encoder ${c.name}: ${got.length} frames instead of ${encoded}`)
    // Frames beyond the stated length are padding on both sides.
    findings.note(
      `encoder ${c.name}`,
      compare(got.outputs.data, want.data, { ...ort, region: firstAlong(want.shape, 2, encoded) }),
    )
  }
  for await (const c of source.cases('predictor')) {
    const got = await side.predict(Number(c.facts.token), { h: c.tensor('h'), c: c.tensor('c') })
    for (const [name, tensor] of [
      ['g', got.g],
      ['h_out', got.h],
      ['c_out', got.c],
    ] as const)
      findings.note(`predictor step ${c.name} ${name}`, compare(tensor.data, c.tensor(name).data, ort))
  }
  let [tokenFlips, durationFlips, unexcused] = [0, 0, 0]
  for await (const c of source.cases('joint')) {
    const [got, want] = [await side.join(c.tensor('rows'), c.tensor('g')), c.tensor('logits')]
    const width = want.shape[1]!
    if (got.shape[1] !== width) {
      findings.say(`joint step ${c.name}: ${got.shape[1]} outputs instead of ${width}`)
      continue
    }
    findings.note(`joint step ${c.name}`, compare(got.data, want.data, ort))
    const split = side.meta.tokenizer.vocab_size + 1
    const tokens = compareArgmax(got.data, want.data, { width, to: split, atol: ort.atol })
    const durations = compareArgmax(got.data, want.data, { width, from: split, atol: ort.atol })
    tokenFlips += tokens.flips
    durationFlips += durations.flips
    unexcused += tokens.flips - tokens.excusable + durations.flips - durations.excusable
    if (unexcused > 0) findings.say(`joint step ${c.name}: a choice flipped that the reference had decided`)
  }
  return answered(
    { rung: 'R2', asks: 'does each component by itself give the reference?', tolerance: shown(ort) },
    {
      ...findings,
      metrics: { ...findings.metrics(), token_flips: tokenFlips, duration_flips: durationFlips },
      series: { max_abs: findings.errors },
    },
  )
}

/** R3: the predictor over all recorded tokens, fed with its own states. */
export async function rungPredictorLoop(
  side: ParitySide,
  source: CaseSource,
  { tolerances }: ParakeetContract,
): Promise<RungResult> {
  const findings = new Findings()
  let state = zeroState(side.meta)
  let steps = 0
  for await (const c of source.cases('predictor')) {
    const got = await side.predict(Number(c.facts.token), state)
    for (const [name, tensor] of [
      ['g', got.g],
      ['h_out', got.h],
      ['c_out', got.c],
    ] as const)
      findings.note(`step ${steps} ${name}`, compare(tensor.data, c.tensor(name).data, tolerances.ort))
    state = got
    steps++
  }
  const wanted = tolerances.predictor_steps
  if (steps < wanted) findings.say(`the reference holds ${steps} steps, and ${wanted} are wanted`)
  return answered(
    {
      rung: 'R3',
      asks: `does the predictor stay with the reference over ${wanted} tokens of its own?`,
      tolerance: shown(tolerances.ort),
    },
    { ...findings, metrics: { steps, ...findings.metrics() }, series: { max_abs: findings.errors } },
  )
}
