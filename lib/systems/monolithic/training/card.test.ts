import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { cardsIn, cardText, type NetworkCard } from './card.ts'
import { ship } from './ship.ts'
import { cardOf } from './measure.ts'
import { voicePackages } from './contract.ts'

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
