/**
 * Finds the Whispers that tests use: real ones where they are installed, and small seeded ones.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { seededRandom } from '../../base/random.ts'
import { float32, sizeOf } from '../../formats/tensors/tensor.ts'
import { whisperWeightSpecs, type WhisperDims, type WhisperWeights } from '../../models/whisper/dims.ts'
import { storeFolder } from '../../systems/whisper/store.ts'

/** `false`, or why a test that wants the real weights of a model is skipped. `.ci/run` installs tiny.en. */
export const needsWhisper = (name: string): string | false =>
  existsSync(join(storeFolder(), name, 'model.bin'))
    ? false
    : `data: ${name} is not installed: npx tsx runbooks/whisper-model.ts --name ${name}`

/** Sizes of a network that runs in a millisecond. */
export const smallDims: WhisperDims = {
  mels: 8,
  audioContext: 20,
  width: 128,
  heads: 2,
  encoderLayers: 2,
  decoderLayers: 2,
  vocabulary: 50,
  textContext: 24,
}

/** Weights of a size, the same each time. */
export function seededWeights(dims: WhisperDims): WhisperWeights {
  const { next } = seededRandom(7)
  return new Map(
    [...whisperWeightSpecs(dims)].map(([name, shape]) => {
      const isNorm = /_ln|\.ln/.test(name) && name.endsWith('.weight')
      const scale = shape.length > 1 ? 1.5 / Math.sqrt(shape.at(-1)!) : 0.1
      const values = Float32Array.from({ length: sizeOf(shape) }, () => (next() - 0.5) * 2 * scale + (isNorm ? 1 : 0))
      return [name, float32([...shape], values)]
    }),
  )
}
