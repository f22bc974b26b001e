/**
 * The parity ladder: which rungs a run asks for, and on what.
 */
import type { ParakeetContract } from '../contract/read.ts'
import { testTone } from '../export/smoke.ts'
import { CaseWriter, readCases, type CaseSource } from './cases.ts'
import { recordReference } from './record.ts'
import { rungComponents, rungPredictorLoop } from './rungs/components.ts'
import { rungDecode, rungSwap } from './rungs/decode.ts'
import { precisions, type Precision } from './precisions.ts'
import { engineRung, rungEngines } from './rungs/engines.ts'
import { attempt, blocked, notRun, type Rung, type RungResult } from './rungs/result.ts'
import { rungStream } from './rungs/streams.ts'
import { rungContract, rungMel } from './rungs/values.ts'
import { openSide, type ParitySide } from './side.ts'

/** Sounds that a reference is recorded of: two tones, one long enough for several chunks of a stream. */
export const referenceSounds = (rate: number) => [
  { name: 'tones-3s', samples: testTone(3 * rate) },
  { name: 'tones-700ms', samples: testTone(0.7 * rate) },
]

/** Record what the reference answers; gives the cases. */
export async function recordTo(path: string, reference: ParitySide, contract: ParakeetContract): Promise<CaseSource> {
  const writer = new CaseWriter(path)
  const sounds = referenceSounds(contract.features.sample_rate_hz)
  await recordReference(reference, sounds, writer, { predictorSteps: contract.tolerances.predictor_steps + 10 })
  writer.end()
  return readCases(path)
}

/** Rungs R0 to R7, on two open sides. */
export async function climbOrt(
  folder: string,
  {
    side,
    reference,
    source,
    contract,
    fixture,
  }: {
    side: ParitySide
    reference: ParitySide
    source: CaseSource
    contract: ParakeetContract
    fixture?: string | undefined
  },
): Promise<RungResult[]> {
  return [
    rungContract(folder, contract),
    rungMel(folder, contract, fixture),
    await rungComponents(side, source, contract),
    await rungPredictorLoop(side, source, contract),
    await rungStream(side, source, contract, 'functional'),
    await rungStream(side, source, contract, 'closed_loop'),
    await rungDecode(side, source),
    await rungSwap(side, reference, source, contract),
  ]
}

/** Rungs R4 and R5 alone, against a stream that another program recorded. */
export const climbStream = async (
  side: ParitySide,
  source: CaseSource,
  contract: ParakeetContract,
): Promise<RungResult[]> => [
  await rungStream(side, source, contract, 'functional'),
  await rungStream(side, source, contract, 'closed_loop'),
]

/** Rungs R8, and R9 for each lower precision that has a folder of engines; blocked where there is none. */
export async function climbEngines(
  folders: Partial<Record<Precision, string>>,
  source: CaseSource,
  contract: ParakeetContract,
): Promise<RungResult[]> {
  const results: RungResult[] = []
  const lower = precisions.filter(precision => precision !== 'fp32' && folders[precision] !== undefined)
  for (const precision of ['fp32', ...(lower.length > 0 ? lower : ['fp16'])] as readonly Precision[]) {
    const rung = engineRung(precision, contract)
    const folder = folders[precision]
    if (folder === undefined) {
      results.push(blocked(rung, `no ${precision} engines were given: build them with parakeet-engines.ts`))
      continue
    }
    results.push(
      await attempt(rung, async () => {
        await using side = openSide(folder, { name: `${precision} engines`, backend: 'tensorrt' })
        return await rungEngines(side, source, contract, precision)
      }),
    )
  }
  return results
}

/** The rungs of engines, where nobody asked for them. */
export const enginesNotRun = (contract: ParakeetContract): RungResult[] =>
  (['fp32', 'fp16'] as const).map(precision => notRun(engineRung(precision, contract)))

/** What R10 asks, where no manifest was given. */
export const manifestRung: Rung = {
  rung: 'R10',
  asks: 'how many words are wrong?',
  tolerance: 'contract /tolerances/wer_max',
}

/** The rungs of a run, in their order; two of one name stay in the order in which they ran. */
export const inOrder = (results: readonly RungResult[]): RungResult[] =>
  results.toSorted((a, b) => Number(a.rung.slice(1)) - Number(b.rung.slice(1)))
