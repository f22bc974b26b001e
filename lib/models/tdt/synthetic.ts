/**
 * Two shapes of model to author without a download: a tiny one, and that of Parakeet-TDT 0.6B v3.
 */
import type { TdtConfig } from './config.ts'
import type { HiddenSizes } from './seeded-weights.ts'

/** Two layers of 32: an export takes a moment. */
export const tinyConfig: TdtConfig = {
  encoder: {
    featIn: 128,
    layers: 2,
    width: 32,
    heads: 4,
    convKernel: 9,
    convNorm: 'batch_norm',
    convContext: [4, 4],
    subsamplingFactor: 8,
    causalDownsampling: false,
    attContext: [-1, -1],
    attStyle: 'regular',
    xscaling: false,
  },
  decoder: { vocabSize: 32, durations: [0, 1, 2, 3, 4], hidden: 32, layers: 2, jointHidden: 32, activation: 'relu' },
}

/** Of the tiny model. */
export const tinySizes: HiddenSizes = { feedForward: 64, convChannels: 8, bias: false }

/** A tiny model that was made to stream: nothing in it looks further ahead than its chunk. */
export const tinyStreamingConfig: TdtConfig = {
  ...tinyConfig,
  encoder: {
    ...tinyConfig.encoder,
    convNorm: 'layer_norm',
    convContext: [8, 0],
    causalDownsampling: true,
    attContext: [8, 3],
    attStyle: 'chunked_limited',
  },
}
