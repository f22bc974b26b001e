/**
 * Writes the model card of the trained weights, as facts and as prose.
 *
 * The facts of each network are a JSON file beside its weights, written by the run that measured them; `README.md` is
 * rendered from all of them, so no figure in it is typed by hand.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readJson } from '../../../host/files.ts'
import { networkNames, type NetworkName } from './contract.ts'
import type { GraphFacts, Spread } from './score.ts'
import type { VoiceFacts } from './train.ts'
import type { TorchPython } from './programs.ts'

/** One measured set of mixtures, SI-SDRi in dB. */
export type Scores = Readonly<Record<string, Spread>>

/** The facts of one network. */
export interface NetworkCard extends GraphFacts {
  readonly network: NetworkName
  /** N, B, H, Sk, X, R, and the kernel and stride in samples. */
  readonly config: readonly number[]
  readonly kernelSize: number
  readonly stride: number
  /** How far an output sample looks to either side, in ms. */
  readonly reachMs: number
  readonly file: string
  readonly bytes: number
  readonly sha256: string
  readonly training: {
    readonly seed: number
    readonly steps: number
    readonly cpuSeconds: number
    readonly wallSeconds: number
  } & Omit<TorchPython, 'program'>
  readonly voices: readonly VoiceFacts[]
  readonly packages: readonly { readonly name: string; readonly version: string; readonly sha256: string }[]
  /** By set: the test in float16, in float32, tiled, in int8, and each set with strangers. */
  readonly scores: Scores
  /** What each mixture of the test lost, in dB: on average and at worst. */
  readonly losses: Readonly<Record<'float16' | 'tiling' | 'int8', { readonly mean: number; readonly worst: number }>>
  /** The largest difference between a sample of ONNX Runtime's answer and PyTorch's. */
  readonly pytorchDifference: number
}

/** The cards in a folder, largest network first. */
export const cardsIn = (folder: string): NetworkCard[] =>
  networkNames
    .map(name => join(folder, `${name}.json`))
    .filter(path => existsSync(path))
    .map(path => readJson(path) as NetworkCard)

const db = (value: number): string => value.toFixed(2)
const spread = ({ mean, median, worst }: Spread): string => `${db(mean)} / ${db(median)} / ${db(worst)}`
const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`
const grid = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n')

const setTitles: Readonly<Record<string, string>> = {
  float16: 'held-out prompts of the two voices (the file as it ships)',
  float32: 'the same before rounding to float16',
  tiled: 'the same in windows of one second',
  int8: 'the same in int8, in windows of one second',
  'one-stranger': 'Allison Smith (English, unknown) and the known man',
  'two-strangers': 'Allison Smith and Carlo Flora (Italian), both unknown',
  'two-women': 'the known woman and June Wallack (French, unknown)',
}

/** The model card of these networks, Markdown. */
export function cardText(cards: readonly NetworkCard[]): string {
  return `${[
    '# Weights that separate two voices',
    about,
    '## How well\n\nSI-SDRi in dB over 40 mixtures of 3 s at -5 to +5 dB, **mean / median / worst**.',
    scoreTable(cards),
    'The last three lines are no mistake: with a voice that was not in the training the networks do little, or harm.',
    '## The networks',
    sizeTable(cards),
    '## How they were trained',
    trainingTable(cards),
    lossTable(cards),
    data(cards[0]!),
    licence,
    again,
  ].join('\n\n')}\n`
}

const about = `Three ConvTasNets that take a mixture of two particular voices apart: a woman (the voice of
ivrvoice.ru) and a man (the voice of festvox-ru), both speaking Russian, 16 kHz.

- They separate these two voices, whatever they say; the first source is the woman, the second the man. They are
  **no separator of voices in general**.
- Made to bring a device up with sound that can be heard and scored, and for nothing else.
- Not for finding out who speaks, nor for listening to people who did not agree to it. The licences of the recordings
  allow their use; the packages say nothing more of the speakers' consent.
- Clean speech at -28 to -16 dBFS, no noise, no room, at most 5 dB between the voices. Everything else is untried.
- The sources come out at about the level of the voices; whoever plays them rescales so that they add up to the
  mixture.`

const scoreTable = (cards: readonly NetworkCard[]): string =>
  grid(
    ['mixtures', ...cards.map(({ network }) => network)],
    Object.entries(setTitles).map(([set, title]) => [title, ...cards.map(({ scores }) => spread(scores[set]!))]),
  )

const sizeTable = (cards: readonly NetworkCard[]): string =>
  grid(
    ['network', 'N,B,H,Sk,X,R', 'kernel / stride', 'parameters', 'MMAC/s', 'reach', 'file', 'SHA-256'],
    cards.map(card => [
      card.network,
      card.config.join(),
      `${card.kernelSize} / ${card.stride}`,
      card.parameters,
      card.mmacPerS.toFixed(1),
      `${card.reachMs} ms`,
      `\`${card.file}\`, ${card.bytes} bytes`,
      `\`${card.sha256}\``,
    ]),
  )

const trainingTable = (cards: readonly NetworkCard[]): string =>
  grid(
    ['network', 'seed', 'steps', 'CPU s', 'wall s', 'PyTorch', 'Python', 'NumPy', 'linear algebra', 'log'],
    cards.map(({ network, training: t }) => [
      network,
      t.seed,
      t.steps,
      Math.round(t.cpuSeconds),
      Math.round(t.wallSeconds),
      t.torch,
      t.python,
      t.numpy,
      t.blas,
      `\`${network}.log.ndjson\``,
    ]),
  )

const lossTable = (cards: readonly NetworkCard[]): string =>
  grid(
    ['dB lost, mean / worst mixture', ...cards.map(({ network }) => network)],
    (['float16', 'tiling', 'int8'] as const).map(kind => [
      kind,
      ...cards.map(({ losses }) => `${db(losses[kind].mean)} / ${db(losses[kind].worst)}`),
    ]),
  ) +
  `\n\nONNX Runtime and PyTorch differ by at most ${Math.max(...cards.map(c => c.pytorchDifference)).toExponential(1)}.`

function data({ voices, packages }: NetworkCard): string {
  const trained = voices.filter(({ held }) => held > 0)
  return `Crops of 2 s, four a step, two voices at a random level (±6 dB) and difference (±5 dB); Adam at 4e-3,
constant for 40 % of the budget, then falling to zero; gradients clipped at 5; permutation-invariant SI-SDR; batch
normalisation, folded into the affine layers at export, where silent channels are cut and quiet ones raised for
int8. On one core, niced, beside other work.

Speech, without silence at either end (-32 dB):

${grid(
  ['voice', 'prompts', 'held out', 'minutes'],
  trained.map(({ voice, prompts, held, minutes }) => [voice, prompts, held, minutes]),
)}

Prompts are held out by their words: none of them shares half of its words with another prompt whose words are
known. Of the woman's prompts 112, five minutes, have no known words, and were trained on.
\`lib/models/convtasnet/training/voices.json\` lists them.

${grid(
  ['package', 'version', 'SHA-256 of the .deb'],
  packages.map(({ name, version, sha256 }) => [`\`${name}\``, version, `\`${sha256}\``]),
)}`
}

const licence = `## Licence and credits

The weights are made from speech under these licences, and are given under [CC BY
3.0](https://creativecommons.org/licenses/by/3.0/legalcode), with both notices. They are not under the project's MIT
licence.

- Woman: \`asterisk-core-sounds-ru-g722\`, copyright 2010 Maxim. Provided by Maxim Topal, http://www.ivrvoice.ru. CC
  BY 3.0.
- Man: \`festvox-ru\`, copyright 2005 Nickolay V. Shmyrev, all rights reserved. "Permission is hereby granted, free
  of charge, to use and distribute this software and its documentation without restriction, including without
  limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of this
  work", provided that this notice and its disclaimer are kept, modifications are marked, authors' names are not
  deleted and not used to endorse products without permission. THE AUTHOR AND THE CONTRIBUTORS TO THIS WORK DISCLAIM
  ALL WARRANTIES WITH REGARD TO THIS SOFTWARE.

Changes made: prompts were decoded, trimmed, cut, levelled and mixed; networks were trained on the mixtures. The
strangers' recordings (Allison Smith, June Wallack, Carlo Flora) were used to measure, and are in none of the
weights.`

const again = `## Again

    npx tsx runbooks/monolithic-train.ts --smoke
    npx tsx runbooks/monolithic-train.ts --network large --write

The first takes four minutes of a core and reaches 7 dB. The second trains anew and puts weights, log and card here.
Another machine, or another version of PyTorch, gives other weights of about the same quality: sums are rounded in
another order.`
