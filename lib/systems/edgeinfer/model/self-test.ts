/**
 * Compares a model that was just opened with its golden answers, before it serves.
 */
import { join } from 'node:path'
import { RunbookError } from '../../../base/errors.ts'
import { sha256File } from '../../../host/digest.ts'
import { compare } from '../../../parity/compare.ts'
import { edgeinferContract } from '../contract.ts'
import { readGolden, type GoldenWindow } from '../export/golden.ts'
import type { Engine } from './engine.ts'
import { runbookCommand } from '../../../host/typescript.ts'

/** How the test went. */
export interface SelfTest {
  readonly windows: number
  readonly cosineMin: number
  /** The bound that it was held against. */
  readonly bound: number
}

/** Golden windows that the test at the start asks about: enough to find a wrong file, few enough for a fast start. */
const windowsUsual = 8

/**
 * The golden windows that stand beside a model.
 *
 * @throws RunbookError usage when they are not those that were locked
 */
export async function goldenOf({ locked }: Engine): Promise<GoldenWindow[]> {
  const { golden } = locked.config
  const path = join(locked.folder, golden.file)
  const windows = await readGolden(path)
  if (sha256File(path) === golden.sha256) return windows
  throw new RunbookError('usage', `Cannot use "${path}": it is not the file that was locked`, 'export again')
}

/** The least cosine that a model of this stage may have against its golden latents. */
export function cosineBound({ locked }: Engine): number {
  const { gates } = edgeinferContract()
  return locked.entry.stage === 'exported' ? gates.exportCosineMin : gates.compiledCosineMin
}

/**
 * Ask about golden windows, spread evenly over all.
 * @throws RunbookError fail when an answer is not finite or its cosine is below the contract's bound
 */
export async function selfTest(engine: Engine, golden: readonly GoldenWindow[]): Promise<SelfTest> {
  const bound = cosineBound(engine)
  const step = Math.max(1, Math.floor(golden.length / windowsUsual))
  const asked = golden.filter((_, i) => i % step === 0)
  let cosineMin = Infinity
  for (const { window, latent } of asked) {
    const answer = await engine.infer(window)
    const { cosine } = compare(answer.latent, latent, { atol: 0, rtol: 0 })
    if (!(cosine >= bound) || !answer.motifScores.every(Number.isFinite)) {
      throw new RunbookError(
        'fail',
        `Cannot serve "${engine.path}": a golden window has cosine ${cosine.toFixed(4)}, below ${bound}`,
        `compile or export again, and see ${runbookCommand('runbooks/edgeinfer-parity.ts')}`,
      )
    }
    cosineMin = Math.min(cosineMin, cosine)
  }
  return { windows: asked.length, cosineMin, bound }
}
