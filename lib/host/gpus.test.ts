import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { hostGpus } from './gpus.ts'

const root = mkdtempSync(join(tmpdir(), 'gpus-'))
after(() => rmSync(root, { recursive: true, force: true }))

test('hostGpus() names models in their order, and what CUDA may see of them', () => {
  for (const [slot, model] of [
    ['0000:41:00.0', 'NVIDIA H100'],
    ['0000:01:00.0', 'NVIDIA L4'],
  ] as const) {
    mkdirSync(join(root, slot))
    writeFileSync(join(root, slot, 'information'), `Model: \t\t ${model}\nIRQ: 1\n`)
  }
  assert.deepEqual(hostGpus({ root, env: {} }), ['NVIDIA L4', 'NVIDIA H100'])
  assert.deepEqual(hostGpus({ root, env: { CUDA_VISIBLE_DEVICES: '' } }).at(-1), 'CUDA_VISIBLE_DEVICES=')
})

test('hostGpus() is empty without a driver', () => {
  assert.deepEqual(hostGpus({ root: join(root, 'none'), env: { CUDA_VISIBLE_DEVICES: '0' } }), [])
})
