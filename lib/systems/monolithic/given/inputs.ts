/**
 * Declares what a person may say of models of their own, and reads it.
 */
import { usageError } from '../../../base/errors.ts'
import { number, text } from '../../../notebook/inputs/inputs.ts'

/** The inputs that models of one's own have, beside those of a search. */
export const givenInputs = () => ({
  model: text({ optional: true, help: 'ONNX files of your own instead of the ladder, separated by commas' }),
  calib: text({
    default: 'random',
    help: 'for --model: .npz by input name, .npy, a folder of WAVs, or random',
  }),
  shape: text({ optional: true, help: 'for --model: shapes of inputs, such as mix=1x1x16000,state=1x2' }),
  sampleRate: number({
    optional: true,
    min: 1,
    integer: true,
    unit: 'Hz',
    help: 'for --model with a folder of WAVs: the rate of its sound; default: 16000',
  }),
})

/** Values of `givenInputs`. */
export interface GivenValues {
  readonly model: string | undefined
  readonly calib: string
  readonly shape: string | undefined
  readonly sampleRate: number | undefined
}

/** The paths of `--model a.onnx,b.onnx`. */
export const modelPaths = (word: string): string[] =>
  word
    .split(',')
    .map(path => path.trim())
    .filter(path => path !== '')

/**
 * The shapes of `--shape mix=1x1x16000,state=1x2` by input.
 * @throws RunbookError usage when it is written otherwise
 */
export function shapesFrom(word: string | undefined): Map<string, number[]> {
  const parts = (word ?? '').split(',').filter(part => part.trim() !== '')
  return new Map(
    parts.map(part => {
      const match = /^\s*(\S+?)\s*[=:]\s*(\d+(?:x\d+)*)\s*$/.exec(part)
      if (match) return [match[1]!, match[2]!.split('x').map(Number)]
      throw usageError(`Cannot read the shape "${part}": expected name=1x1x16000`, 'give --shape name=1x1x16000')
    }),
  )
}
