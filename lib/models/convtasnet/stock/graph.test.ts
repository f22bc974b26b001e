import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { encodeModel } from '../../../formats/onnx/index.ts'
import { float32 } from '../../../formats/tensors/tensor.ts'
import { openOrtNode } from '../../../infer/ort/node-package.ts'
import type { LazyTensors } from '../../weights-file.ts'
import { stockGraph } from './graph.ts'
import { isStock, stockNetwork, type StockNetwork } from './network.ts'
import {
  stockBlocks as blocks,
  stockSizes as sizes,
  stockWeights as weightsOf,
} from '../../../testing/onnx/stock-weights.ts'

const root = mkdtempSync(join(tmpdir(), 'stock-'))
after(() => rmSync(root, { recursive: true, force: true }))
type Rows = number[][]

/** The network in plain loops and double precision. */
function reference(
  have: LazyTensors,
  family: StockNetwork['family'],
  o: { x: number[]; act: 'sigmoid' | 'relu' },
): Rows {
  const { n, k, sources, p } = sizes
  const stride = k / 2
  const values = (name: string) => [...(have.get(name)!().data as Float32Array)]
  const isAsteroid = family === 'Asteroid'
  const bank = isAsteroid ? '.filterbank._filters' : '.weight'
  const padding = isAsteroid ? 0 : stride
  const padded = [...Array<number>(padding).fill(0), ...o.x, ...Array<number>(padding).fill(0)]
  const frames = (padded.length - k) / stride + 1
  const each = (count: number, row: (i: number) => number[]): Rows => Array.from({ length: count }, (_, i) => row(i))
  const filters = values(`encoder${bank}`)
  const encoded = each(n, c =>
    Array.from({ length: frames }, (_, t) =>
      Array.from({ length: k }, (_u, j) => filters[c * k + j]! * padded[t * stride + j]!).reduce((a, v) => a + v, 0),
    ),
  )
  const norm = (rows: Rows, name: string): Rows => {
    const [gain, shift] = isAsteroid ? ['gamma', 'beta'] : ['weight', 'bias']
    const all = rows.flat()
    const mean = all.reduce((a, v) => a + v, 0) / all.length
    const variance = all.reduce((a, v) => a + (v - mean) ** 2, 0) / all.length
    const [g, s] = [values(`${name}.${gain}`), values(`${name}.${shift}`)]
    return rows.map((row, c) => row.map(v => ((v - mean) / Math.sqrt(variance + 1e-8)) * g[c]! + s[c]!))
  }
  const conv = (rows: Rows, name: string): Rows => {
    const [w, b] = [values(`${name}.weight`), values(`${name}.bias`)]
    return b.map((bias, c) =>
      rows[0]!.map((_, t) => rows.reduce((sum, row, i) => sum + w[c * rows.length + i]! * row[t]!, bias)),
    )
  }
  const depthwise = (rows: Rows, name: string, dilation: number): Rows => {
    const [w, b] = [values(`${name}.weight`), values(`${name}.bias`)]
    return rows.map((row, c) =>
      row.map((_, t) => {
        let sum = b[c]!
        for (let j = 0; j < p; j++) sum += w[c * p + j]! * (row[t + (j - (p - 1) / 2) * dilation] ?? 0)
        return sum
      }),
    )
  }
  const prelu = (rows: Rows, name: string): Rows => {
    const [slope] = values(name)
    return rows.map(row => row.map(v => (v < 0 ? slope! * v : v)))
  }
  const add = (a: Rows, b: Rows): Rows => a.map((row, c) => row.map((v, t) => v + b[c]![t]!))
  let stream = conv(
    norm(encoded, isAsteroid ? 'masker.bottleneck.0' : 'mask_generator.input_norm'),
    isAsteroid ? 'masker.bottleneck.1' : 'mask_generator.input_conv',
  )
  let skips: Rows | null = null
  for (let i = 0; i < blocks; i++) {
    const at = isAsteroid ? `masker.TCN.${i}` : `mask_generator.conv_layers.${i}`
    const inner = isAsteroid ? `${at}.shared_block` : `${at}.conv_layers`
    let hidden = norm(prelu(conv(stream, `${inner}.0`), `${inner}.1.weight`), `${inner}.2`)
    hidden = norm(prelu(depthwise(hidden, `${inner}.3`, 2 ** (i % 2)), `${inner}.4.weight`), `${inner}.5`)
    const skip = conv(hidden, isAsteroid ? `${at}.skip_conv` : `${at}.skip_out`)
    skips = skips === null ? skip : add(skips, skip)
    if (i < blocks - 1) stream = add(stream, conv(hidden, isAsteroid ? `${at}.res_conv` : `${at}.res_out`))
  }
  const slope = isAsteroid ? 'masker.mask_net.0.weight' : 'mask_generator.output_prelu.weight'
  const score = conv(prelu(skips!, slope), isAsteroid ? 'masker.mask_net.1' : 'mask_generator.output_conv')
  const mask = score.map(row => row.map(v => (o.act === 'relu' ? Math.max(0, v) : 1 / (1 + Math.exp(-v)))))
  const synthesis = values(`decoder${bank}`)
  return each(sources, source => {
    const out = Array<number>(padded.length).fill(0)
    for (let c = 0; c < n; c++) {
      for (let t = 0; t < frames; t++) {
        const v = mask[source * n + c]![t]! * encoded[c]![t]!
        for (let j = 0; j < k; j++) out[t * stride + j]! += v * synthesis[c * k + j]!
      }
    }
    return out.slice(padding, padded.length - padding)
  })
}

test("stockGraph() equals Asteroid's and torchaudio's networks within 1e-5, norms and PReLUs included", async () => {
  const x = Array.from({ length: 40 }, (_, i) => 0.5 * Math.sin(0.7 * i) + 0.2 * Math.cos(2.9 * i))
  for (const family of ['Asteroid', 'torchaudio'] as const) {
    for (const act of ['sigmoid', 'relu'] as const) {
      const have = weightsOf(family)
      assert.ok(isStock(have))
      const network = stockNetwork(have, { nBlocks: 2, maskAct: act }, 'w')
      const path = join(root, `${family}-${act}.onnx`)
      writeFileSync(path, encodeModel(stockGraph(network, { inputLen: x.length, sampleRate: 8000 })))
      await using model = await openOrtNode(path)
      const { output } = await model.infer({ input: float32([1, 1, 1, x.length], x) })
      assert.deepEqual(output!.shape, [1, 2, x.length])
      const want = reference(have, family, { x, act }).flat()
      const worst = Math.max(...want.map((value, i) => Math.abs(value - Number(output!.data[i]))))
      const loudest = Math.max(...want.map(Math.abs))
      assert.ok(loudest > 0.1 && worst < 1e-5, `${family} ${act}: ${worst} of ${loudest}`)
    }
  }
})

test('stockGraph() refuses a window that the frames do not fill', () => {
  const network = stockNetwork(weightsOf('Asteroid'), { nBlocks: 2, maskAct: 'relu' }, 'w')
  assert.throws(() => stockGraph(network, { inputLen: 41 }), { exit: 'usage', hint: /input=1x1x1x40/ })
  assert.throws(() => stockGraph(network, { inputLen: 2 }), { exit: 'usage' })
})

test('stockNetwork() guesses neither repeats nor the activation, and proposes both as flags', () => {
  const hint = /--config mono_f6_bn4_hid5_skip3_b4_r1_t4000_k4_s2 --mask-act sigmoid/
  const refusal = { exit: 'usage', message: /how 4 blocks fall into repeats, nor which activation/, hint }
  assert.throws(() => stockNetwork(weightsOf('Asteroid'), {}, 'w'), refusal)
  const odd = { exit: 'usage', message: /how 4 blocks fall into repeats/ }
  assert.throws(() => stockNetwork(weightsOf('torchaudio'), { nBlocks: 3, maskAct: 'relu' }, 'w'), odd)
})

test('stockNetwork() refuses what it does not author: causal, another norm, another activation', () => {
  const said = { nBlocks: 2, maskAct: 'sigmoid' }
  const refused = (change: object, message: RegExp) =>
    assert.throws(() => stockNetwork(weightsOf('Asteroid'), { ...said, ...change }, 'w'), { exit: 'usage', message })
  refused({ causal: true }, /it is causal/)
  refused({ normType: 'cLN' }, /its norm is cLN/)
  refused({ maskAct: 'softmax' }, /goes through softmax/)
})

test('stockNetwork() uses every weight and needs every weight', () => {
  const said = { nBlocks: 2, maskAct: 'sigmoid' }
  const refused = (have: LazyTensors, message: RegExp) =>
    assert.throws(() => stockNetwork(have, said, 'w'), { exit: 'usage', message })
  const without = weightsOf('torchaudio')
  without.delete('mask_generator.conv_layers.2.res_out.weight')
  refused(without, /1 of \d+ are missing: mask_generator\.conv_layers\.2\.res_out\.weight/)
  const extra = weightsOf('torchaudio').set('extra.weight', () => float32([1], [1]))
  refused(extra, /does not use 1 of \d+: extra\.weight/)
  const transposed = weightsOf('Asteroid', (name, tensor) =>
    name === 'masker.mask_net.1.weight' ? { ...tensor, shape: [3, 12, 1] } : tensor,
  )
  refused(transposed, /sizes are not those/)
  const nan = weightsOf('Asteroid', (name, tensor) =>
    name === 'masker.TCN.1.shared_block.3.bias' ? float32(tensor.shape, [0, Number.NaN, 0, 0, 0]) : tensor,
  )
  refused(nan, /element 1 is NaN/)
})

test('isStock() leaves batch norms and networks of others to those who take them', () => {
  const folded = weightsOf('Asteroid').set('masker.bottleneck.0.running_mean', () => float32([6], new Float32Array(6)))
  assert.equal(isStock(folded), false)
  assert.equal(isStock(new Map()), false)
})
