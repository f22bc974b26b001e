import assert from 'node:assert/strict'
import test from 'node:test'
import { trtexecFlags } from '../../testing/trtexec/standin.ts'
import { buildCommand } from './command.ts'
import type { Trtexec } from './program.ts'
import type { EngineRequest, Profile } from './request.ts'

const trtexecs = {
  8: { path: '/t', version: '8.6.1', major: 8, flags: new Set<string>(trtexecFlags[8]) },
  10: { path: '/t', version: '10.16.0', major: 10, flags: new Set<string>(trtexecFlags[10]) },
  11: { path: '/t', version: '11.1.0', major: 11, flags: new Set<string>(trtexecFlags[11]) },
} satisfies Record<number, Trtexec>
const request: EngineRequest = { onnx: 'm.onnx', plan: 'm.plan', precision: 'fp32', profile: {} }
const words = (major: keyof typeof trtexecs, change: Partial<EngineRequest>) =>
  buildCommand(trtexecs[major], { ...request, ...change }).slice(3)

test('buildCommand() turns TF32 off for float32 on every version, and gives no shapes to a static model', () => {
  for (const major of [8, 10, 11] as const) assert.deepEqual(words(major, {}), ['--skipInference', '--noTF32'])
})

test('buildCommand() gives the three shapes, the cache, the workspace and the level', () => {
  const profile: Profile = {
    x: [
      [1, 3],
      [2, 3],
      [8, 3],
    ],
    n: [[], [], []],
  }
  const made = words(10, { profile, timingCache: 't.cache', workspaceMiB: 4096, optimizationLevel: 5 })
  assert.deepEqual(made, [
    '--minShapes=x:1x3,n:',
    '--optShapes=x:2x3,n:',
    '--maxShapes=x:8x3,n:',
    '--timingCacheFile=t.cache',
    '--memPoolSize=workspace:4096',
    '--builderOptimizationLevel=5',
    '--skipInference',
    '--noTF32',
  ])
})

test('buildCommand() takes the precision as a flag up to 10, and from the graph from 11 on', () => {
  assert.deepEqual(words(8, { precision: 'fp16' }).slice(1), ['--fp16'])
  assert.deepEqual(words(10, { precision: 'bf16' }).slice(1), ['--bf16'])
  assert.deepEqual(words(11, { precision: 'bf16' }).slice(1), ['--noTF32'])
  assert.throws(() => words(8, { precision: 'bf16' }), { exit: 'blocked', message: /TensorRT 8\.6\.1 has no --bf16/ })
})

test('buildCommand() builds int8 of a quantised graph everywhere, and of a calibration cache up to 10', () => {
  const cache = { precision: 'int8', int8: { cache: 'c.cache' } } as const
  for (const major of [8, 10] as const) {
    assert.deepEqual(words(major, { precision: 'int8', int8: 'graph' }).slice(1), ['--int8'])
    assert.deepEqual(words(major, cache).slice(1), ['--int8', '--calib=c.cache'])
  }
  assert.deepEqual(words(11, { precision: 'int8', int8: 'graph' }).slice(1), ['--noTF32'])
  assert.throws(() => words(11, cache), { exit: 'blocked', message: /takes no calibration cache/ })
})

test('buildCommand() refuses int8 without ranges, for which trtexec would make some up', () => {
  for (const major of [8, 10, 11] as const)
    assert.throws(() => words(major, { precision: 'int8' }), { exit: 'usage', message: /neither a quantised graph/ })
})

test('buildCommand() gives no flag that the help does not name', () => {
  const flags = new Set(['onnx', 'saveEngine'])
  const made = buildCommand({ ...trtexecs[10], flags }, { ...request, timingCache: 'x', workspaceMiB: 1 })
  assert.deepEqual(made, ['/t', '--onnx=m.onnx', '--saveEngine=m.plan'])
})
