import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { encodeModel } from '../../../../formats/onnx/index.ts'
import { writeFileSync } from 'node:fs'
import { float32, type FloatTensor } from '../../../../formats/tensors/tensor.ts'
import { openBackend } from '../../../../infer/open.ts'
import { seededTdtWeights } from '../../../../models/tdt/seeded-weights.ts'
import { tinyConfig, tinySizes } from '../../../../models/tdt/synthetic.ts'
import { GreedyTdt } from '../../../../speech/tdt/greedy.ts'
import { openSherpa } from '../../../../testing/tdt/sherpa.ts'
import { positionEncoder, writeSherpaModel } from '../../../../testing/tdt/sherpa-model.ts'
import { parakeetContract } from '../../contract/read.ts'
import { syntheticModel } from '../../export/sources.ts'
import { writeModelFolder } from '../../export/write-model.ts'
import { readModelFolder } from '../../model/folder.ts'
import { modelPartsOf, rulesOf } from '../../model/meta.ts'
import { BoundNetworks } from './bound.ts'
import { decodeHeard } from '../networks.ts'

test('BoundNetworks decodes 20 seeded models as sherpa-onnx does, tokens, times and durations', async t => {
  const root = mkdtempSync(join(tmpdir(), 'rungbook-'))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  const contract = parakeetContract()
  const config = { ...tinyConfig, decoder: { ...tinyConfig.decoder, layers: 1 } }
  const base = syntheticModel('tiny', contract, 1)
  let tokens = 0
  for (let seed = 1; seed <= 20; seed++) {
    const folder = join(root, String(seed))
    const weights = seededTdtWeights(config, tinySizes, seed)
    const sherpa = await openSherpa(
      writeSherpaModel(join(folder, 'sherpa'), { config, weights, pieces: base.pieces, seed }),
    )
    const theirs = sherpa.decode(new Float32Array(16000 * 4))
    // sherpa-onnx puts at most five tokens on a frame, whatever a model says.
    const parts = modelPartsOf(config, { maxSymbols: 5, frameShiftMs: 10 })
    const meta = writeModelFolder(join(folder, 'ours'), { ...base, config, weights, parts })
    const path = join(folder, 'position.onnx')
    writeFileSync(path, encodeModel(positionEncoder(config, seed)))
    await using encoder = await openBackend(path)
    const length = { dtype: 'int64', shape: [1], data: BigInt64Array.of(400n) } as const
    const { outputs } = await encoder.infer({
      audio_signal: float32([1, 128, 400], new Float32Array(128 * 400)),
      length,
    })
    await using networks = await BoundNetworks.open(readModelFolder(join(folder, 'ours')), meta)
    await networks.reset()
    const greedy = new GreedyTdt(rulesOf(meta))
    const copied = float32(outputs!.shape, Float32Array.from((outputs as FloatTensor).data))
    await decodeHeard(greedy, networks, { outputs: copied, from: 0, count: 50 })
    const shown = greedy.tokens.toArray().map(id => base.pieces[id]!.replace('▁', ' '))
    assert.deepEqual(shown, theirs.tokens, `seed ${seed}`)
    const frames = (seconds: readonly number[]) => seconds.map(s => Math.round(s / 0.08))
    assert.deepEqual(greedy.timestamps.toArray(), frames(theirs.timestamps), `seed ${seed}`)
    assert.deepEqual(greedy.durations.toArray(), frames(theirs.durations), `seed ${seed}`)
    tokens += shown.length
  }
  assert.ok(tokens > 100, String(tokens))
})
