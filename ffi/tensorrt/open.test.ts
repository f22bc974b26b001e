import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { needsTool } from '../../lib/testing/needs.ts'
import { FfiError } from '../errors.ts'
import { buildStandin } from '../testing/build.ts'
import { densePlan, planBytes } from '../testing/tensorrt/plan.ts'
import { standinVersions, tensorRtStandin } from '../testing/tensorrt/standin.ts'
import { openTensorRt } from './open.ts'
import { deserialize } from './runtime.ts'

const skip = needsTool('g++')
const isError =
  (kind: FfiError['kind'], message: RegExp, hint = /./) =>
  (thrown: unknown) =>
    thrown instanceof FfiError && thrown.kind === kind && message.test(thrown.message) && hint.test(thrown.hint)

async function scratch(body: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tensorrt-test-'))
  try {
    await body(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test("openTensorRt() says which version is there, from the library's own number", { skip }, () => {
  for (const version of standinVersions) {
    const { env, nvinfer } = tensorRtStandin(version, { isLean: true })
    const rt = openTensorRt({ env })
    assert.deepEqual([rt.version, rt.library.path, rt.abi.isVerified], [version, nvinfer, true])
  }
})

test('openTensorRt() is absent with every place that was tried and the export line', () => {
  assert.throws(
    () => openTensorRt({ env: { TENSORRT_LIB: '/no/such/libnvinfer.so.10' } }),
    isError(
      'absent',
      /TENSORRT_LIB.*\n.*\/no\/such\/libnvinfer\.so\.10: no such file/,
      /^unset TENSORRT_LIB # .*export TENSORRT_LIB=/,
    ),
  )
})

test(
  'openTensorRt() refuses versions that no table knows, and calls nothing of theirs but the version',
  { skip },
  () => {
    for (const version of [
      { major: 9, minor: 3, patch: 0 },
      { major: 12, minor: 0, patch: 0 },
      { major: 8, minor: 5, patch: 3 },
    ]) {
      const { env } = tensorRtStandin(version, { isLean: true })
      assert.throws(
        () => openTensorRt({ env }),
        isError(
          'refused',
          new RegExp(
            `TensorRT ${version.major}\\.${version.minor}\\.${version.patch}: the places of its methods are not known`,
          ),
          /TENSORRT_LIB/,
        ),
      )
    }
  },
)

test('openTensorRt() refuses TensorRT-RTX and 8.6.0 by name when the library says that it is one', { skip }, () => {
  for (const [version, message] of [
    [{ major: 1, minor: 7, patch: 1 }, /Cannot use TensorRT-RTX 1\.7\.1/],
    [{ major: 8, minor: 6, patch: 0 }, /Cannot use TensorRT 8\.6\.0: .*early access/],
  ] as const) {
    const { env } = tensorRtStandin(version, { isLean: true })
    assert.throws(
      () => openTensorRt({ env }),
      isError('refused', message, /install a version that is known .*TENSORRT_LIB/),
    )
  }
})

test('openTensorRt() names a symbol that the library lacks', { skip }, () =>
  scratch(folder => {
    const source = join(folder, 'lacking.c')
    writeFileSync(source, 'int getInferLibVersion(void) { return 101303; }\n')
    const path = buildStandin([source], { out: 'libnvinfer.so' })
    assert.throws(
      () => openTensorRt({ env: { TENSORRT_LIB: path } }),
      isError('absent', /it has no symbol createInferRuntime_INTERNAL/),
    )
  }),
)

test('openTensorRt() names a library of another machine, and a file that is none', () =>
  scratch(folder => {
    const head = Buffer.alloc(64)
    head.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1])
    head.writeUInt16LE(40, 18)
    writeFileSync(join(folder, 'small.so'), head)
    writeFileSync(join(folder, 'text.so'), 'hello, this is text and no library')
    assert.throws(
      () => openTensorRt({ env: { TENSORRT_LIB: join(folder, 'small.so') } }),
      isError('absent', /wrong ELF class or architecture: it is 32-bit arm/),
    )
    assert.throws(
      () => openTensorRt({ env: { TENSORRT_LIB: join(folder, 'text.so') } }),
      isError('absent', /not an ELF library/),
    )
  }))

test('a library that is opened through a link is known by its code all the same', { skip }, () =>
  scratch(async folder => {
    const standin = tensorRtStandin(standinVersions[1]!, { isLean: true })
    const link = join(folder, 'libnvinfer.so.10')
    symlinkSync(standin.nvinfer, link)
    const engine = await deserialize(
      openTensorRt({ env: { ...standin.env, TENSORRT_LIB: link } }),
      planBytes(densePlan(), standin.version),
      'm.plan',
    )
    assert.equal(engine.name, 'dense')
    engine.close()
  }),
)

test('create() is absent where the library has no builder', { skip }, async () => {
  const { env } = tensorRtStandin(standinVersions[1]!, { isLean: true })
  await assert.rejects(
    openTensorRt({ env }).create('IBuilder'),
    isError('absent', /it has no builder/, /whole TensorRT 10\.13\.3/),
  )
})
