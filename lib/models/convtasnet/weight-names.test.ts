import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { encodeSafetensors } from '../../testing/formats/safetensors.ts'
import { float32, type Tensor } from '../../formats/tensors/tensor.ts'
import { convTasNetOptions } from './options.ts'
import { loadWeights, seededWeights } from './weights.ts'

const folder = mkdtempSync(join(tmpdir(), 'names-'))
after(() => rmSync(folder, { recursive: true, force: true }))
// One source, so that no projector stands between encoder and mask.
const options = convTasNetOptions({ nFilters: 20, bnChan: 6, hidChan: 10, skipChan: 7, forceNSrc1: true })
const own = seededWeights(options)

/** This project's names in the words of the others. */
const words = {
  Asteroid: (name: string) =>
    name
      .replace(/^(encoder|decoder)\.weight$/, '$1.filterbank._filters')
      .replace(/^masker\.norm\.weight$/, 'masker.bottleneck.0.gamma')
      .replace(/^masker\.norm\.bias$/, 'masker.bottleneck.0.beta')
      .replace(/^masker\.bottleneck\.(weight|bias)$/, 'masker.bottleneck.1.$1')
      .replace(/^masker\.mask\./, 'masker.mask_net.1.')
      .replace(/^masker\.blocks\.(\d+)\./, 'masker.TCN.$1.')
      .replace('.expand.', '.shared_block.0.')
      .replace('.norm1.weight', '.shared_block.2.gamma')
      .replace('.norm1.bias', '.shared_block.2.beta')
      .replace('.depthwise.', '.shared_block.3.')
      .replace('.norm2.weight', '.shared_block.5.gamma')
      .replace('.norm2.bias', '.shared_block.5.beta')
      .replace('.residual.', '.res_conv.')
      .replace(/\.skip\./, '.skip_conv.'),
  torchaudio: (name: string) =>
    name
      .replace(/^masker\.norm\./, 'mask_generator.input_norm.')
      .replace(/^masker\.bottleneck\./, 'mask_generator.input_conv.')
      .replace(/^masker\.mask\./, 'mask_generator.output_conv.')
      .replace(/^masker\.blocks\.(\d+)\./, 'mask_generator.conv_layers.$1.')
      .replace('.expand.', '.conv_layers.0.')
      .replace('.norm1.', '.conv_layers.2.')
      .replace('.depthwise.', '.conv_layers.3.')
      .replace('.norm2.', '.conv_layers.5.')
      .replace('.residual.', '.res_out.')
      .replace(/\.skip\./, '.skip_out.'),
}
const prelus = {
  Asteroid: (slope: number) =>
    [0, 1].flatMap(i => [1, 4].map(n => [`masker.TCN.${i}.shared_block.${n}.weight`, slope] as const)),
  torchaudio: (slope: number) =>
    [0, 1].flatMap(i => [1, 4].map(n => [`mask_generator.conv_layers.${i}.conv_layers.${n}.weight`, slope] as const)),
}

/** A file of another project: three axes, batch norms, PReLUs of these slopes. */
function foreign(family: keyof typeof words, o: { slope?: number; variance?: number | null } = {}): string {
  const { slope = 0, variance = 1 - 1e-5 } = o
  const tensors = new Map<string, Tensor>()
  for (const [name, { shape, data }] of own) {
    const theirs = words[family](name)
    const isNorm = /norm/.test(name)
    const [out = 1, into = 1, , taps = 1] = shape
    tensors.set(theirs, float32(isNorm || shape.length === 1 ? [out] : [out, into, taps], data as Float32Array))
    if (isNorm && name.endsWith('weight') && variance !== null) {
      const root = theirs.replace(/\.\w+$/, '')
      tensors.set(`${root}.running_mean`, float32([out], new Float32Array(out)))
      tensors.set(`${root}.running_var`, float32([out], new Float32Array(out).fill(variance)))
    }
  }
  for (const [name, value] of prelus[family](slope)) tensors.set(name, float32([1], [value]))
  const path = join(folder, `${family}.safetensors`)
  writeFileSync(path, encodeSafetensors(tensors))
  return path
}

const families = ['Asteroid', 'torchaudio'] as const

test('loadWeights() takes the names and the three axes of both projects', async () => {
  for (const family of families) {
    const found = await loadWeights(foreign(family), options)
    for (const [name, { shape, data }] of own) {
      assert.deepEqual(found.get(name)!.shape, shape, name)
      for (const [i, value] of (found.get(name)!.data as Float32Array).entries()) {
        assert.ok(Math.abs(value - Number(data[i])) < 1e-6, `${name}[${i}]`)
      }
    }
  }
})

test('loadWeights() refuses the global norm and a bent PReLU, with the reason of both projects', async () => {
  for (const family of families) {
    await assert.rejects(loadWeights(foreign(family, { variance: null }), options), {
      exit: 'usage',
      message: /normalises over the whole recording \(global layer norm\), and this graph only scales/,
      hint: /--model/,
    })
    await assert.rejects(loadWeights(foreign(family, { slope: 0.25 }), options), {
      exit: 'usage',
      message: /PReLU .* has a slope of 0\.2500, and this graph has a ReLU there/,
      hint: /--model/,
    })
  }
})

test('loadWeights() folds the statistics of a batch norm of both projects', async () => {
  for (const family of families) {
    const found = await loadWeights(foreign(family, { variance: 4 - 1e-5 }), options)
    const [have, want] = [found.get('masker.norm.weight')!, own.get('masker.norm.weight')!]
    assert.ok(Math.abs(Number(have.data[3]) - Number(want.data[3]) / 2) < 1e-6)
  }
})
