/**
 * Converts the graphs of a model to float16 for builders that take the precision from the graph, and judges them.
 */
import { copyFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { isStronglyTyped } from '../../../compile/trtexec/command.ts'
import { fileError, makeFolder } from '../../../host/files.ts'
import { convertFileToHalf, type HalfFacts } from '../../../onnx/half/convert.ts'
import type { ParakeetContract } from '../contract/read.ts'
import { recordTo } from '../parity/ladder.ts'
import type { Precision } from '../parity/precisions.ts'
import { rungEngines } from '../parity/rungs/engines.ts'
import type { RungResult } from '../parity/rungs/result.ts'
import { openSide } from '../parity/side.ts'
import { engineComponents, type EngineComponent } from './profiles.ts'

/** Whether graphs have to be converted first: none were given, and no flag of this builder sets the precision. */
export const wantsConversion = (
  builder: { readonly major: number; readonly version: string },
  precision: Precision,
  halfDir: string | undefined,
): boolean => precision === 'fp16' && halfDir === undefined && isStronglyTyped(builder)

// CONTRACT: the front's convolutions stay in float32.
// SOURCE: decision D-362
// WHY: they turn log-mel values into frames; in float16 the encoder of the seeded model misses its bound.
const keep = ({ input }: { readonly input: readonly string[] }) =>
  input.some(name => name.startsWith('encoder.pre_encode.conv'))

/** What converting a component did. */
export interface ConvertedGraph extends HalfFacts {
  readonly component: EngineComponent
}

/**
 * Convert every component whose graph is there, and take the meta along.
 * @throws RunbookError blocked when the disk is full; usage when weights cannot be read
 */
export function convertGraphs(modelDir: string, target: string): ConvertedGraph[] {
  makeFolder(target)
  const meta = 'model_meta.json'
  try {
    copyFileSync(join(modelDir, meta), join(target, meta))
  } catch (thrown) {
    throw fileError('copy', join(modelDir, meta), thrown)
  }
  return engineComponents
    .map(component => ({ component, file: `${component}.onnx` }))
    .filter(({ file }) => existsSync(join(modelDir, file)))
    .map(({ component, file }) => ({
      component,
      ...convertFileToHalf(join(modelDir, file), join(target, file), { keep }),
    }))
}

/** Whether converted graphs, on ONNX Runtime, lie within the bounds that float16 engines have to meet. */
export async function judgeConversion(
  modelDir: string,
  halfDir: string,
  contract: ParakeetContract,
  recordPath: string,
): Promise<RungResult> {
  await using reference = openSide(modelDir, { name: 'float32' })
  const source = await recordTo(recordPath, reference, contract)
  await using half = openSide(halfDir, { name: 'float16' })
  return await rungEngines(half, source, contract, 'fp16')
}
