import assert from 'node:assert/strict'
import test from 'node:test'
import { needsTool } from '../testing/needs.ts'
import { standinVersions, tensorRtStandin } from '../../ffi/testing/tensorrt/standin.ts'
import { benchTensorRt } from './tensorrt.ts'

test(
  'benchTensorRt() measures every figure, and leaves the environment and the device as they were',
  { skip: needsTool('g++') },
  async () => {
    const before = process.env.STANDIN_STREAM
    const { version, ...figures } = await benchTensorRt({ steps: 100 })
    assert.equal(version, '10.13.3')
    assert.deepEqual(Object.keys(figures).toSorted(), ['heapBytesPerStep', 'laterUs', 'stepUs', 'vtableCallNs'])
    for (const [name, value] of Object.entries(figures))
      assert.ok(Number.isFinite(value) && (value > 0 || name === 'heapBytesPerStep'), `${name} is ${value}`)
    assert.equal(process.env.STANDIN_STREAM, before)
    assert.deepEqual(tensorRtStandin(standinVersions[1]!, { isLean: true }).live(), {
      objects: 0,
      device: 0,
      host: 0,
      stream: 0,
      event: 0,
    })
  },
)
