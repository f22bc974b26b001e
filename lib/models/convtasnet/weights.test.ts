import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { writeNpz } from '../../formats/tensors/npz.ts'
import { encodeSafetensors } from '../../testing/formats/safetensors.ts'
import { float32, sizeOf, type Tensor } from '../../formats/tensors/tensor.ts'
import { sha256 } from '../../host/digest.ts'
import { RunbookError } from '../../base/errors.ts'
import { convTasNetOptions, decoderModes, maskActs, type ConvTasNetOptions } from './options.ts'
import { isMixtureConsistent, loadWeights, seededWeights, weightSpecs } from './weights.ts'

const small = (more: Partial<ConvTasNetOptions> = {}) =>
  convTasNetOptions({ nFilters: 20, bnChan: 6, hidChan: 10, skipChan: 7, ...more })

const folder = mkdtempSync(join(tmpdir(), 'weights-'))

/** A safetensors file of the seeded weights after a change. */
function saved(name: string, change: (weights: Map<string, Tensor>) => unknown = () => undefined, o = small()): string {
  const weights = new Map(seededWeights(o))
  change(weights)
  const path = join(folder, `${name}.safetensors`)
  writeFileSync(path, encodeSafetensors(weights))
  return path
}

const refusal = (exit: string, pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof RunbookError, String(error))
  assert.equal(error.exit, exit)
  assert.match(`${error.message} | ${error.hint}`, pattern)
  return true
}

test('weightSpecs() lists what reaches the output, and nothing else', () => {
  const names = weightSpecs(small()).map(({ name }) => name)
  assert.ok(names.includes('masker.blocks.0.residual.weight') && !names.includes('masker.blocks.1.residual.weight'))
  assert.equal(new Set(names).size, names.length)
  const bypassed = weightSpecs(small({ maskMulMode: 'bypass' })).map(({ name }) => name)
  assert.deepEqual(bypassed, ['encoder.weight', 'source_projector.weight', 'decoder.weight'])
})

test('weightSpecs() gives shapes as a state dict has them', () => {
  const shapes = new Map(
    weightSpecs(small({ decoderMode: 'reduced_deconv_64' })).map(({ name, shape }) => [name, shape]),
  )
  assert.deepEqual(shapes.get('masker.blocks.1.depthwise.weight'), [10, 1, 1, 3])
  assert.deepEqual(shapes.get('masker.mask.weight'), [40, 7, 1, 1])
  assert.deepEqual(shapes.get('decoder.reduce.weight'), [64, 40, 1, 1])
  assert.deepEqual(shapes.get('decoder.weight'), [64, 2, 1, 16])
})

test('seededWeights() fits the list in names, order and shapes for every decoder', () => {
  for (const decoderMode of decoderModes) {
    const isLast = decoderMode === decoderModes.at(-1)
    const o = small({ decoderMode, forceNSrc1: isLast, normMode: isLast ? 'identity' : 'affine' })
    const weights = seededWeights(o)
    assert.deepEqual(
      [...weights].map(([name, { shape }]) => ({ name, shape })),
      weightSpecs(o),
    )
    for (const [name, { data, shape }] of weights)
      assert.ok(data.length === sizeOf(shape) && data.every(Number.isFinite), name)
  }
})

test('seededWeights() gives the very same bits on every machine', () => {
  const bytes = [...seededWeights(small()).values()].map(({ data }) =>
    Buffer.from(data.buffer, data.byteOffset, data.byteLength),
  )
  assert.equal(sha256(Buffer.concat(bytes)), '2e9b7dfd7215cf43d346497d10e0a12f1233106b7c86e9c0c0c9cc50e5d43c09')
})

test('seededWeights() changes every random tensor with the seed, and no other tensor with a block', () => {
  const [one, two, longer] = [
    seededWeights(small()),
    seededWeights(small({ seed: 2 })),
    seededWeights(small({ nBlocks: 3 })),
  ]
  for (const name of [
    'encoder.weight',
    'masker.bottleneck.weight',
    'masker.mask.bias',
    'masker.blocks.0.norm1.weight',
  ]) {
    assert.notDeepEqual(one.get(name), two.get(name), name)
    assert.deepEqual(one.get(name), longer.get(name), name)
  }
  assert.deepEqual(one.get('source_projector.weight'), two.get('source_projector.weight'))
})

test("seededWeights() makes the second source's mask the negative of the first's", () => {
  for (const name of ['masker.mask.weight', 'masker.mask.bias']) {
    const data = [...seededWeights(small()).get(name)!.data].map(Number)
    const half = data.length / 2
    assert.deepEqual(
      data.slice(half),
      data.slice(0, half).map(value => -value),
    )
  }
})

test('isMixtureConsistent() holds where two masks sum to one', () => {
  const held = maskActs.filter(maskAct => isMixtureConsistent(small({ maskAct })))
  assert.deepEqual(held, ['sigmoid', 'linear'])
  assert.equal(isMixtureConsistent(small({ maskMulMode: 'bypass' })), false)
  assert.equal(isMixtureConsistent(small({ nSrc: 3 })), false)
  assert.equal(isMixtureConsistent(small({ forceNSrc1: true })), false)
})

test('seededWeights() refuses fewer filters than taps', () => {
  assert.throws(() => seededWeights(small({ nFilters: 15 })), refusal('usage', /nFilters 15.*take 16 filters/))
})

test('loadWeights() gives back what was saved as safetensors or npz', async () => {
  const want = seededWeights(small())
  assert.deepEqual(await loadWeights(saved('same'), small()), want)
  const npz = join(folder, 'same.npz')
  await writeNpz(npz, Object.fromEntries(want))
  assert.deepEqual(await loadWeights(npz, small()), want)
})

test('loadWeights() names both shapes when one does not fit, and never cuts', async () => {
  await assert.rejects(
    loadWeights(saved('wide', undefined, small({ hidChan: 12 })), small()),
    refusal('usage', /"masker.blocks.0.expand.weight" of .*\[12, 6, 1, 1\].*needs \[10, 6, 1, 1\]/),
  )
  const flat = saved('flat', weights => weights.set('masker.mask.bias', float32([1, 40], new Float32Array(40))))
  await assert.rejects(loadWeights(flat, small()), refusal('usage', /"masker.mask.bias".*\[1, 40\].*needs \[40\]/))
})

test('loadWeights() names what is missing, and hints at names that it did not use', async () => {
  const path = saved('renamed', weights => {
    weights.set('encoder.conv.weight', weights.get('encoder.weight')!)
    weights.delete('encoder.weight')
  })
  const missing = /1 of \d+ are missing: encoder.weight \[20, 1, 1, 16\]; not used in the file: encoder.conv.weight/
  await assert.rejects(loadWeights(path, small()), refusal('usage', missing))
  await assert.rejects(
    loadWeights(
      saved('bare', weights => weights.clear()),
      small(),
    ),
    refusal('usage', /and \d+ more/),
  )
})

test('loadWeights() refuses names that the graph does not use, and says which rung they fit', async () => {
  const extra = saved('extra', weights => weights.set('optimizer.step', float32([1], [1])))
  await assert.rejects(
    loadWeights(extra, small()),
    refusal('usage', /the graph does not use 1 of \d+: optimizer.step.*--print-weights/),
  )
  const three = saved('three', undefined, small({ nBlocks: 3 }))
  await assert.rejects(
    loadWeights(three, small()),
    refusal('usage', /does not use \d+ of .*--config mono_f20_bn6_hid10_skip7_b3_r1_t16000$/),
  )
  const four = saved('four', undefined, small({ nBlocks: 2, nRepeats: 2 }))
  await assert.rejects(loadWeights(four, small()), refusal('usage', /--config mono_f20_bn6_hid10_skip7_b2_r2_t16000$/))
  const one = saved('one', undefined, small({ nBlocks: 1 }))
  await assert.rejects(loadWeights(one, small()), refusal('usage', /are missing: .*--config \S+_b1_r1_t16000$/))
  const wide = saved('kernel', undefined, small({ nFilters: 128, kernelSize: 128, stride: 64 }))
  await assert.rejects(loadWeights(wide, small()), refusal('usage', /--config mono_f128_\S+_t16000_k128_s64/))
})

test('loadWeights() reads what torch.save wrote, without running its pickle', async () => {
  const path = join(folder, 'code.pth')
  writeFileSync(path, 'cos\nsystem\n(S"touch /tmp/ran"\ntR.')
  await assert.rejects(loadWeights(path, small()), refusal('usage', /code\.pth/))
})

test('loadWeights() names tensor and element of NaN and infinity', async () => {
  for (const bad of [Number.NaN, Infinity, -Infinity]) {
    const path = saved('bad', weights => {
      const data = Float32Array.from({ length: 40 }, (_, i) => (i === 13 ? bad : i))
      weights.set('masker.mask.bias', float32([40], data))
    })
    await assert.rejects(
      loadWeights(path, small()),
      refusal('usage', new RegExp(`"masker.mask.bias".*element 13 is ${bad}`)),
    )
  }
})

const skipBias = 'masker.blocks.0.skip.bias'

/** The bias of seven as `loadWeights` gives it, after it was saved in another type. */
async function throughFile(dtype: Tensor['dtype'], data: Tensor['data']) {
  const path = saved(dtype, weights => weights.set(skipBias, { dtype, shape: [7], data }))
  return [...(await loadWeights(path, small())).get(skipBias)!.data]
}

test('loadWeights() converts half and double precision', async () => {
  const half = Uint16Array.of(0, 0x3c00, 0xc000, 0x3800, 0x7bff, 1, 0xae66)
  assert.deepEqual(await throughFile('float16', half), [0, 1, -2, 0.5, 65504, 2 ** -24, Math.fround(-0.099975586)])
  const brain = Uint16Array.of(0, 0x3f80, 0xc000, 0x3f00, 0x4780, 0x3380, 0xbdcc)
  assert.deepEqual(await throughFile('bfloat16', brain), [0, 1, -2, 0.5, 65536, 2 ** -24, -0.099609375])
  const double = Float64Array.of(0, 1, -2, 0.5, 0.1, 3, 4)
  assert.deepEqual(await throughFile('float64', double), [0, 1, -2, 0.5, Math.fround(0.1), 3, 4])
})

test('loadWeights() refuses infinity in half precision, and what is beyond single precision', async () => {
  const infinite = Uint16Array.of(0, 0, 0x7c00, 0, 0, 0, 0)
  await assert.rejects(throughFile('float16', infinite), refusal('usage', /element 2 is Infinity/))
  const huge = Float64Array.of(0, 0, 0, 1e300, 0, 0, 0)
  await assert.rejects(throughFile('float64', huge), refusal('usage', /element 3 is Infinity/))
})

test('loadWeights() refuses integers', async () => {
  const want = /int32\[7\].*float32, float64, float16 or bfloat16/
  await assert.rejects(throughFile('int32', new Int32Array(7)), refusal('usage', want))
})

test('loadWeights() refuses other kinds of file, and is blocked by none at all', async () => {
  await assert.rejects(
    loadWeights(join(folder, 'model.h5'), small()),
    refusal('usage', /none of .safetensors, .npz, .pth/),
  )
  await assert.rejects(loadWeights(join(folder, 'none.npz'), small()), refusal('blocked', /none.npz/))
  await assert.rejects(loadWeights(join(folder, 'none.safetensors'), small()), refusal('blocked', /none.safetensors/))
})
