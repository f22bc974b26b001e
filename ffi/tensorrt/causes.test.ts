import assert from 'node:assert/strict'
import test from 'node:test'
import { failed } from './causes.ts'
import type { LogMessage, Logger } from './logger.ts'

const version = { major: 10, minor: 13, patch: 3 }
const after = (...messages: readonly (readonly [LogMessage['severity'], string])[]) =>
  failed({ call: 'deserializeCudaEngine', version, logger: { messages: messages.map(([severity, text]) => ({ severity, text })) } as unknown as Logger })

test('failed() names the call, the version and the cause, and not what follows from it', () => {
  const error = after(['warning', 'out of memory is near'], ['error', 'Assertion engine != nullptr failed'], ['error', 'Error Code 1: Version tag does not match.\n  Note: 239 vs 240'])
  assert.equal(error.message, 'Cannot call deserializeCudaEngine: TensorRT 10.13.3 failed: Error Code 1: Version tag does not match. Note: 239 vs 240')
  assert.equal(error.kind, 'refused')
  assert.match(error.hint, /build the plan again/)
})

test('failed() knows a cause by its words, with its fix and its kind', () => {
  const rows = [
    ['Error Code 2: OutOfMemory (Requested size was 1 bytes.)', 'status', /free GPU memory/], ['CUDA initialization failure with error: 35', 'absent', /nvidia-smi/],
    ['engine plan file is generated on an incompatible device, expecting compute 8.9 got compute 8.6', 'refused', /on this GPU/],
    ['Network has dynamic or shape inputs, but no optimization profile has been defined.', 'usage', /profile/], ['Address is not set for input tensor x', 'status', /bind every/],
    ['Serialization assertion magicTagRead == kMAGIC_TAG failed', 'usage', /sha256sum/],
    ['Serialization (Serialization assertion sizeRead == static_cast<uint64_t>(mEnd - mCurrent) failed.Size specified in header does not match archive size)', 'usage', /sha256sum/],
    ['The engine plan file is not compatible with this version of TensorRT, expecting library version 10.1.0 got 0.0.0, please rebuild.', 'usage', /sha256sum/],
    ['The engine plan file is not compatible with this version of TensorRT, expecting library version 10.1.0 got 10.0.0, please rebuild.', 'refused', /build the plan again/],
    ['something new', 'status', /trtexec/],
  ] as const
  for (const [text, kind, hint] of rows) {
    const error = after(['internal error', text])
    assert.equal(error.kind, kind, text)
    assert.match(error.hint, hint)
    assert.ok(error.message.includes(text))
  }
})

test('failed() says so when TensorRT said nothing, and cuts what goes on and on', () => {
  assert.match(after().message, /it did not say why/)
  assert.ok(after(['error', 'x'.repeat(5000)]).message.length < 500)
})
