import assert from 'node:assert/strict'
import test from 'node:test'
import { failed } from './causes.ts'
import type { LogMessage, Logger } from './logger.ts'

const version = { major: 10, minor: 13, patch: 3 }
const after = (...messages: readonly (readonly [LogMessage['severity'], string])[]) =>
  failed({
    call: 'deserializeCudaEngine',
    version,
    logger: { messages: messages.map(([severity, text]) => ({ severity, text })) } as unknown as Logger,
  })

test('failed() names the call, the version and the cause, and not what follows from it', () => {
  const error = after(
    ['warning', 'out of memory is near'],
    ['error', 'Assertion engine != nullptr failed'],
    ['error', 'Error Code 1: Version tag does not match.\n  Note: 239 vs 240'],
  )
  assert.equal(
    error.message,
    'Cannot call deserializeCudaEngine: TensorRT 10.13.3 failed: Error Code 1: Version tag does not match. ' +
      'Note: 239 vs 240',
  )
  assert.equal(error.kind, 'refused')
  assert.match(error.hint, /build the plan again/)
})

test('failed() knows a cause by its words, with its fix and its kind', () => {
  const rows = [
    ['Error Code 2: OutOfMemory (Requested size was 1 bytes.)', 'status', /free GPU memory/],
    ['CUDA initialization failure with error: 35', 'absent', /nvidia-smi/],
    [
      'engine plan file is generated on an incompatible device, expecting compute 8.9 got compute 8.6',
      'refused',
      /on this GPU/,
    ],
    ['Network has dynamic or shape inputs, but no optimization profile has been defined.', 'usage', /profile/],
    ['Address is not set for input tensor x', 'status', /bind every/],
    ['Serialization assertion magicTagRead == kMAGIC_TAG failed', 'usage', /sha256sum/],
    [
      'Serialization (Serialization assertion sizeRead == static_cast<uint64_t>(mEnd - mCurrent) failed.Size ' +
        'specified in header does not match archive size)',
      'usage',
      /sha256sum/,
    ],
    [
      'The engine plan file is not compatible with this version of TensorRT, expecting library version ' +
        '10.1.0 got 0.0.0, please rebuild.',
      'usage',
      /sha256sum/,
    ],
    [
      'The engine plan file is not compatible with this version of TensorRT, expecting library version ' +
        '10.1.0 got 10.0.0, please rebuild.',
      'refused',
      /build the plan again/,
    ],
    [
      'Error Code 1: Serialization (Serialization assertion plan.header.size == blobSize failed. In parsePlan)',
      'usage',
      /sha256sum/,
    ],
    [
      'Error Code 2: Internal Error (Assertion bufferSize >= minBufferSize failed. In readHeader)',
      'usage',
      /sha256sum/,
    ],
    [
      'Error Code 1: Cuda Runtime (In catchCudaError (cudaError 35: CUDA driver version is insufficient for ' +
        'CUDA runtime version))',
      'absent',
      /nvidia-smi/,
    ],
    ['Error Code 4: API Usage Error (Network must have at least one output. In validate)', 'usage', /cut short/],
    [
      'Error Code 4: API Usage Error (Dynamic-shaped input tensor x has 2 dimensions but profile 0 has 1 ' +
        'dimensions. In validate)',
      'usage',
      /as many numbers/,
    ],
    [
      'Error Code 6: API Usage Error (Unable to load library: libnvinfer_lean.so.10: cannot open shared object file)',
      'absent',
      /lean runtime of the same version/,
    ],
    ['something new', 'status', /trtexec/],
  ] as const
  for (const [text, kind, hint] of rows) {
    const error = after(['internal error', text])
    assert.equal(error.kind, kind, text)
    assert.match(error.hint, hint)
    assert.ok(error.message.includes(text))
  }
})

test('failed() takes a warning for the cause, a known one first, when there is no error', () => {
  const cuda = after(
    ['warning', 'Unable to determine GPU memory usage'],
    ['warning', 'CUDA initialization failure with error: 35.'],
  )
  assert.deepEqual(
    [cuda.kind, cuda.message],
    [
      'absent',
      'Cannot call deserializeCudaEngine: TensorRT 10.13.3 failed: CUDA initialization failure with error: 35.',
    ],
  )
  assert.match(after(['warning', 'it looks odd']).message, /failed: it looks odd$/)
  const error = after(['warning', 'a tactic ran out of memory'], ['error', 'something new'])
  assert.deepEqual([error.kind, /something new/.test(error.message)], ['status', true])
})

test('failed() says so when TensorRT said nothing, and cuts what goes on and on', () => {
  assert.match(after().message, /it did not say why/)
  assert.ok(after(['error', 'x'.repeat(5000)]).message.length < 500)
})
