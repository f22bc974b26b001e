import assert from 'node:assert/strict'
import test from 'node:test'
import type { FfiError } from '../../../ffi/errors.ts'
import { absent, fakeMachine, found } from '../../testing/machine/fake-machine.ts'
import { cudaFact, hailortFact, onnxRuntimeFact, tensorRtFact } from './libraries.ts'
import type { Probed } from './probe.ts'

const refusal = (message: string, kind: 'absent' | 'refused' | 'crash' | 'bug' = 'absent'): Probed => ({
  ok: false,
  kind,
  message,
  hint: kind === 'crash' ? null : 'do this',
})
/** As `ffi/load.ts` tells it. */
const nowhere = (title: string, tried: readonly string[], broken: string | null): Probed => ({
  ok: false,
  kind: 'absent',
  message: [`Cannot open ${title}: ${tried.length} places were tried`, ...tried.map(line => `  ${line}`)].join('\n'),
  hint: 'do this',
  search: { places: tried.length, tried, broken, install: `lib-of-${title}`, elsewhere: 'say where it is' },
})
const hailort = (probed: Probed, env: Record<string, string> = {}) =>
  hailortFact(fakeMachine({ probed: { hailort: probed }, env }))

test('hailortFact() tells version, path and profile, and the variable that named it', async () => {
  const probed = found({ version: '4.23.0', path: '/usr/lib/libhailort.so', words: 'ABI profile C' })
  assert.equal((await hailort(probed)).state, '4.23.0 (/usr/lib/libhailort.so), ABI profile C')
  assert.match((await hailort(probed, { HAILORT_LIB: '/x' })).state, /, by HAILORT_LIB$/)
})

test('hailortFact() is missing when it is nowhere, with what installs it', async () => {
  const fact = await hailort(absent('HailoRT'))
  assert.deepEqual([fact.status, fact.state, fact.needs], ['missing', 'not found in 4 places', ['hailo']])
  assert.equal(fact.fix, 'sudo apt install lib-of-HailoRT # or say where it is: export X_LIB=/path/to/lib.so')
})

test('hailortFact() is broken when a file is there and cannot be used', async () => {
  const wrongArch =
    '/usr/lib/libhailort.so: wrong ELF class or architecture: it is 64-bit arm64, this node is 64-bit x64'
  const fact = await hailort(
    nowhere(
      'HailoRT',
      [wrongArch, 'by the loader: libhailort.so: cannot open shared object file: No such file or directory'],
      wrongArch,
    ),
  )
  assert.deepEqual([fact.status, fact.state, fact.fix], ['broken', wrongArch, 'do this'])
})

test('tensorRtFact() is broken when the library is there and one that it wants is not', async () => {
  const lacks = 'libnvinfer.so.10: libcudnn.so.8: cannot open shared object file: No such file or directory'
  const fact = await tensorRtFact(fakeMachine({ probed: { tensorrt: nowhere('TensorRT', [lacks], lacks) } }))
  assert.deepEqual([fact.status, fact.state], ['broken', lacks])
})

test('tensorRtFact() is missing when neither the loader nor any folder has it', async () => {
  const tried = [
    'by the loader: libnvinfer.so.{11, 10}: cannot open shared object file: No such file or directory',
    '/opt: libnvinfer.so.{11, 10}: no such file',
    '/x/libnvinfer.so: no such file',
  ]
  const fact = await tensorRtFact(fakeMachine({ probed: { tensorrt: nowhere('TensorRT', tried, null) } }))
  assert.equal(fact.status, 'missing')
})

test('a library that a variable names and that does not open is broken; unsetting it is the fix', async () => {
  const fact = await hailort(nowhere('HailoRT', ['/nowhere.so: no such file'], null), { HAILORT_LIB: '/nowhere.so' })
  assert.deepEqual([fact.status, fact.state], ['broken', 'HAILORT_LIB names "/nowhere.so": /nowhere.so: no such file'])
  assert.match(fact.fix!, /^unset HAILORT_LIB/)
})

test('a library that is refused, lacks a symbol or crashes is broken with what was said', async () => {
  const refused = await hailort(refusal('Cannot use HailoRT 6.0.0: its interface is known for 4.17 to 4.23', 'refused'))
  assert.deepEqual(
    [refused.status, refused.state],
    ['broken', 'Cannot use HailoRT 6.0.0: its interface is known for 4.17 to 4.23'],
  )
  const lacking = await hailort(refusal('Cannot use HailoRT at "/x": it has no symbol hailo_infer'))
  assert.equal(lacking.status, 'broken')
  const crash = await hailort(refusal('loading it crashes its process with SIGSEGV', 'crash'))
  assert.deepEqual([crash.status, crash.state], ['broken', 'loading it crashes its process with SIGSEGV'])
  assert.match(crash.fix!, /reinstall it \(.*\), or name another: export HAILORT_LIB=/)
})

test('onnxRuntimeFact() is what the main job needs', async () => {
  const fact = await onnxRuntimeFact(fakeMachine())
  assert.deepEqual([fact.status, fact.needs, fact.state], ['ok', ['main'], '1.30.0 (/p/libonnxruntime.so.1), C API 30'])
  const gone = await onnxRuntimeFact(fakeMachine({ probed: { onnxruntime: absent('ONNX Runtime') } }))
  assert.deepEqual([gone.status, gone.needs], ['missing', ['main']])
})

test('cudaFact() is broken when the driver serves an older major only', async () => {
  const cuda = (version: string, driverVersion: string) =>
    cudaFact(fakeMachine({ probed: { cuda: found({ version, driverVersion, path: '/c' }) } }))
  assert.equal((await cuda('12.8', '12.2')).status, 'ok')
  assert.equal((await cuda('12.8', '13.0')).status, 'ok')
  assert.equal((await cuda('12.8', '0.0')).status, 'ok', 'the driver has a line of its own')
  const old = await cuda('13.0', '12.8')
  assert.deepEqual([old.status, old.state], ['broken', '13.0 (/c), but the driver serves CUDA 12.8'])
  assert.equal(old.fix, "install NVIDIA's driver 580.65 or newer, or CUDA 12: sudo apt install cuda-cudart-12-8")
})

test('cudaFact() judges no runtime that does not tell its version, and says so', async () => {
  for (const driverVersion of ['0.0', '12.8']) {
    const fact = await cudaFact(
      fakeMachine({ probed: { cuda: found({ version: 'unknown', driverVersion, path: '/c' }) } }),
    )
    assert.deepEqual([fact.status, fact.state], ['ok', 'of unknown version (/c)'])
  }
})

test('hailortFact() is ok when the library opened and its scan failed, whatever variable named it', async () => {
  const scanFailure = { kind: 'absent', message: 'Cannot scan for "Hailo devices": 85', hint: 'reboot' } as const
  const fact = await hailort(found({ version: '4.20.0', path: '/x', words: 'ABI profile B', scanFailure }), {
    HAILORT_LIB: '/x',
  })
  assert.deepEqual([fact.status, fact.state], ['ok', '4.20.0 (/x), ABI profile B, by HAILORT_LIB'])
})

test('hailortFact() counts and understands what the bindings themselves say when the library is nowhere', async () => {
  const { hailortSpec } = await import('../../../ffi/hailort/library.ts')
  const { openLibrary } = await import('../../../ffi/load.ts')
  const nowhereSpec = {
    ...hailortSpec,
    names: hailortSpec.names.map(name => `${name}-none`),
    folders: ['/usr/lib', '/nowhere'],
  }
  let refused: FfiError | undefined
  try {
    openLibrary(nowhereSpec, { env: {} })
  } catch (thrown) {
    refused = thrown as FfiError
  }
  const { message, hint, search } = refused!
  const fact = await hailort({ ok: false, kind: 'absent', message, hint, search: search! })
  assert.deepEqual([fact.status, fact.state], ['missing', `not found in ${3 * nowhereSpec.names.length} places`])
})
