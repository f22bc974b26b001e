/**
 * Searches a recording with a beam, beside the greedy transcript: the likeliest texts, with phrases boosted.
 */
import { usageError } from '../../../base/errors.ts'
import { openMono } from '../../../signal/mono-source.ts'
import { textOf, type Pieces } from '../../../speech/pieces.ts'
import { beamSearch, type BeamHypothesis, type BeamNetworks } from '../../../speech/tdt/beam.ts'
import { Boosting } from '../../../speech/tdt/boosting.ts'
import { float32 } from '../../../formats/tensors/tensor.ts'
import { rulesOf } from '../model/meta.ts'
import { openSide, zeroState, type PredictorState } from '../parity/side.ts'
import { encode } from './encoders.ts'
import type { OpenModel } from './model.ts'
import { rowsOf } from './networks.ts'

/** One answer of the search, as text. */
export interface BeamAnswer extends BeamHypothesis {
  readonly text: string
}

/** Longer recordings are not searched: their encoding would not fit one window. */
const secondsMax = 120

/**
 * The likeliest texts of a recording of up to two minutes, the best first.
 * @param o.phrases texts that are made likelier by `bonus` a token
 * @throws RunbookError usage when the recording is longer, or a phrase cannot be said with the vocabulary
 */
export async function searchFile(
  model: OpenModel,
  wav: string,
  o: { width: number; phrases: readonly string[]; bonus: number },
): Promise<BeamAnswer[]> {
  const rate = model.meta.features.sample_rate_hz
  using sound = openMono(wav, rate)
  if (sound.totalSamples > secondsMax * rate)
    throw usageError(
      `Cannot search "${wav}" with a beam: it is longer than ${secondsMax} s`,
      'cut it, or leave out --beam',
    )
  const features = model.mel.features(Float32Array.from(sound.read(sound.totalSamples)))
  if (features.validFrames === 0) return []
  const rows = rowsOf(await encode(model.encoder, features, features.validFrames))
  const [frames, depth] = rows.shape as [number, number]
  await using side = openSide(model.folder.path, { name: 'beam' })
  type State = PredictorState & { readonly g: Parameters<typeof side.join>[1] }
  const networks: BeamNetworks<State> = {
    begin: () => side.predict(model.meta.tokenizer.blank_id, zeroState(model.meta)),
    predict: (state, token) => side.predict(token, state),
    joint: async ({ g }, frame) =>
      (await side.join(float32([1, depth], rows.data.slice(frame * depth, (frame + 1) * depth)), g)).data,
  }
  const phrases = o.phrases.map(phrase => tokensOf(model.pieces, phrase))
  const boosting = phrases.length === 0 ? {} : { boosting: new Boosting(phrases, o.bonus) }
  const found = await beamSearch(rulesOf(model.meta), networks, frames, { width: o.width, ...boosting })
  return found.map(answer => ({ ...answer, text: textOf(model.pieces, answer.tokens) }))
}

/**
 * A phrase in pieces, the longest that fits each time.
 * @throws RunbookError usage when a part of it is no piece
 */
export function tokensOf({ list }: Pieces, phrase: string): number[] {
  const text = `▁${phrase.trim().replaceAll(/\s+/g, '▁')}`
  const ids = new Map(list.map((piece, id) => [piece, id]))
  const longest = list.reduce((most, piece) => Math.max(most, piece.length), 1)
  const tokens: number[] = []
  for (let at = 0; at < text.length;) {
    let end = Math.min(text.length, at + longest)
    while (end > at && !ids.has(text.slice(at, end))) end--
    if (end === at)
      throw usageError(`Cannot boost "${phrase}": no piece says "${text.slice(at)}"`, 'spell it as the model writes')
    tokens.push(ids.get(text.slice(at, end))!)
    at = end
  }
  return tokens
}
