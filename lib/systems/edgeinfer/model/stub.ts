/**
 * Answers without a model: the same numbers for the same window, and marked as a stub wherever they are told.
 *
 * For clients that are brought up before there is a model (`USE_REAL_MODEL=false`). Nothing is random, so that a
 * client's test is repeatable, and nothing looks like the model's answer: the latents are the window's first means.
 */
import { edgeinferContract } from '../contract.ts'
import { windowChannels, windowSamples } from '../window/layout.ts'
import { softmaxInPlace } from '../motifs/softmax.ts'
import type { Answer } from './engine.ts'

const { latentSize } = edgeinferContract().model

/** The stub's name as `/healthz` tells it; the original's. */
export const stubName = 'tcn_encoder_stub'

/** An answer made of the window's channel means: `latent[k]` is mean k mod 9, divided by 1 + k / 9. */
export function stubAnswer(window: Float32Array, motifs: number): Answer {
  const means = new Float64Array(windowChannels)
  for (let i = 0; i < window.length; i++) means[i % windowChannels]! += window[i]! / windowSamples
  const latent = Float32Array.from(
    { length: latentSize },
    (_, k) => means[k % windowChannels]! / (1 + Math.floor(k / windowChannels)),
  )
  return {
    latent,
    motifScores: softmaxInPlace(Float32Array.from({ length: motifs }, (_, k) => latent[k % latentSize]! / 10)),
  }
}
