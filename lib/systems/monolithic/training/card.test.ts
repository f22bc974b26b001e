import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { cardsIn, cardText, type NetworkCard } from './card.ts'
import { ship } from './ship.ts'
import { cardOf } from './measure.ts'
import {
  networkNames,
  networkOptions,
  trainedWeights,
  voicePackages,
  voicesContract,
  weightsFolder,
} from './contract.ts'
import { loadWeights } from '../../../models/convtasnet/weights.ts'
import { readSafetensors } from '../../../formats/tensors/safetensors.ts'
import { sha256File } from '../../../host/digest.ts'

const root = mkdtempSync(join(tmpdir(), 'card-'))
after(() => rmSync(root, { recursive: true, force: true }))

const spread = { mean: 12.345, median: 12, worst: 9.1 }
const sets = ['float16', 'float32', 'tiled', 'int8', 'one-stranger', 'two-strangers', 'two-women']
const loss = { mean: 0.01, worst: 0.02 }

function example(): { card: NetworkCard; trained: Parameters<typeof ship>[1] } {
  const weights = join(root, 'weights.safetensors')
  const log = join(root, 'log.ndjson')
  writeFileSync(weights, 'weights')
  writeFileSync(log, '{"done": true}\n')
  const trained = { weights, float32: weights, log, curve: [], seed: 1, steps: 7, cpuSeconds: 99.4, wallSeconds: 200 }
  const card = cardOf('large', {
    trained,
    measured: {
      scores: Object.fromEntries(sets.map(set => [set, spread])),
      losses: { float16: loss, tiling: loss, int8: loss },
      pytorchDifference: 1.2e-7,
      parameters: 286_720,
      mmacPerS: 70.9,
    },
    python: { program: '/usr/bin/python3', python: '3.11.2', torch: '1.13.0a0', numpy: '1.24.2', blas: 'openblas' },
    voices: [
      { voice: 'woman', prompts: 558, held: 32, minutes: 23.2 },
      { voice: 'june', prompts: 551, held: 0, minutes: 24.3 },
    ],
    packages: voicePackages(),
  })
  return { card, trained }
}

test('cardText says every score, and names no stranger as trained speech', () => {
  const { card } = example()
  const text = cardText([card])
  assert.match(text, /12\.35 \/ 12\.00 \/ 9\.10/)
  assert.match(text, /\| woman \| 558 \| 32 \| 23\.2 \|/)
  assert.doesNotMatch(text, /\| june \|/)
  assert.match(text, /no separator of voices in general/)
  assert.doesNotMatch(text, /undefined|NaN/)
})

test('cardOf leaves the path of the Python out', () => {
  assert.doesNotMatch(JSON.stringify(example().card), /usr\/bin/)
})

test('ship writes weights, log and card, and renders the card of all that lie there', () => {
  const { card, trained } = example()
  const folder = join(root, 'shipped')
  assert.deepEqual(ship(card, trained, folder), ['large.safetensors', 'large.log.ndjson', 'large.json', 'README.md'])
  assert.deepEqual(cardsIn(folder), [card])
  assert.equal(readFileSync(join(folder, 'README.md'), 'utf8'), cardText([card]))
})

test('the card that ships is rendered from its facts, and the weights are those that were measured', () => {
  const cards = cardsIn(weightsFolder)
  assert.deepEqual(
    cards.map(({ network }) => network),
    networkNames,
  )
  assert.equal(readFileSync(join(weightsFolder, 'README.md'), 'utf8'), cardText(cards))
  for (const { file, sha256, bytes } of cards) {
    assert.equal(sha256File(join(weightsFolder, file)), sha256)
    assert.equal(statSync(join(weightsFolder, file)).size, bytes)
  }
})

test('the weights that ship keep every bound of the contract, as measured', () => {
  const { gates } = voicesContract()
  for (const { network, scores, losses, pytorchDifference } of cardsIn(weightsFolder)) {
    assert.ok(scores.float16!.mean >= gates.meanSiSdriDbMin[network], network)
    assert.ok(scores.float16!.worst >= gates.worstSiSdriDbMin[network], network)
    assert.ok(losses.int8.mean <= gates.int8LossDbMax && losses.tiling.worst <= gates.tilingLossDbMax, network)
    assert.ok(losses.float16.worst <= gates.float16LossDbMax, network)
    assert.ok(pytorchDifference <= gates.pytorchDifferenceMax, network)
  }
})

test('the weights that ship fit the graph of their network, and are read as half precision', async () => {
  for (const network of networkNames) {
    const { path } = trainedWeights(networkOptions(network))!
    const weights = await loadWeights(path, networkOptions(network))
    assert.ok([...weights.values()].every(({ data }) => (data as Float32Array).every(Number.isFinite)))
    assert.ok([...readSafetensors(path).values()].every(({ dtype }) => dtype === 'float16'))
  }
})
