import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { standinVersions, tensorRtStandin } from '../../../../../ffi/testing/tensorrt/standin.ts'
import { float32 } from '../../../../formats/tensors/tensor.ts'
import { GreedyTdt } from '../../../../speech/tdt/greedy.ts'
import { decodeChunk } from '../../../../speech/tdt/loop.ts'
import { needsPlainMemory, needsTool } from '../../../../testing/needs.ts'
import { planWeights, writePlanFolder } from '../../../../testing/tdt/plan-model.ts'
import { steadyCost } from '../../bench/steady.ts'
import { parakeetContract } from '../../contract/read.ts'
import { testTone } from '../../export/smoke.ts'
import { readModelFolder } from '../../model/folder.ts'
import { rulesOf } from '../../model/meta.ts'
import { openModel } from '../model.ts'
import { decodeHeard } from '../networks.ts'
import { PlanNetworks } from './plan.ts'

const skip = needsTool('g++')
const contract = parakeetContract()
const frames = 120

function planFolder(t: TestContext, version = standinVersions[1]!) {
  const folder = mkdtempSync(join(tmpdir(), 'rungbook-'))
  const standin = tensorRtStandin(version, { isLean: true })
  const before = { ...process.env }
  Object.assign(process.env, standin.env)
  t.after(() => {
    process.env = before
    rmSync(folder, { recursive: true, force: true })
  })
  return { folder, standin, meta: writePlanFolder(folder, version) }
}

/** What the plans compute, by hand. */
function byHand() {
  const { embed, joint, outputs, width } = planWeights
  const [rows, h, g] = [new Float32Array(width * frames), new Float32Array(width), new Float32Array(width)]
  return {
    rows,
    predict(token: number) {
      for (let i = 0; i < width; i++) {
        g[i] = embed[token * width + i]! + h[i]!
        h[i] = embed[token * width + i]!
      }
    },
    joint(frame: number) {
      const sum = Float32Array.from({ length: width }, (_, i) => rows[frame * width + i]! + g[i]!)
      return Float32Array.from({ length: outputs }, (_, m) =>
        sum.reduce((total, x, k) => total + joint[m * width + k]! * x, 0),
      )
    },
  }
}

test('PlanNetworks decodes on TensorRT 8.6, 10 and 11 what its plans compute by hand', { skip }, async t => {
  for (const version of standinVersions) {
    const { folder, standin, meta } = planFolder(t, version)
    const hand = byHand()
    for (let i = 0; i < hand.rows.length; i++)
      hand.rows[i] = 2 * Math.sin(i * 0.37 + 1.3 * Math.floor(i / planWeights.width) ** 2)
    const columns = float32([1, planWeights.width, frames], new Float32Array(hand.rows.length))
    for (let f = 0; f < frames; f++)
      for (let d = 0; d < planWeights.width; d++) columns.data[d * frames + f] = hand.rows[f * planWeights.width + d]!
    const want = new GreedyTdt(rulesOf(meta))
    hand.predict(meta.tokenizer.blank_id)
    decodeChunk(want, hand, frames)
    {
      await using networks = await PlanNetworks.open(readModelFolder(folder, { prefer: '.plan' }), meta)
      for (let again = 0; again < 2; again++) {
        const got = new GreedyTdt(rulesOf(meta))
        await networks.reset()
        await decodeHeard(got, networks, { outputs: columns, from: 0, count: frames })
        assert.ok(got.tokens.length > 8)
        assert.deepEqual(
          [got.tokens.toArray(), got.timestamps.toArray(), got.durations.toArray()],
          [want.tokens.toArray(), want.timestamps.toArray(), want.durations.toArray()],
        )
      }
    }
    assert.deepEqual(standin.live(), { objects: 0, device: 0, host: 0, stream: 0, event: 0 })
  }
})

test(
  'openModel() runs a folder of plans, and its loop allocates nothing',
  { skip: skip || needsPlainMemory() },
  async t => {
    const { folder } = planFolder(t)
    await using model = await openModel(folder, contract, { backend: 'tensorrt' })
    assert.ok(model.networks instanceof PlanNetworks)
    assert.match(model.device, /TensorRT 10/)
    const { collections, heapBytesPerStep, steps } = await steadyCost(model, testTone(16000), 40_000)
    assert.ok(steps >= 40_000)
    assert.deepEqual([collections, heapBytesPerStep < 20], [0, true], `${heapBytesPerStep} bytes per step`)
  },
)
