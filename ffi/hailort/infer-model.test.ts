import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { runHefModel } from '../../lib/testing/hef/write.ts'
import { dequantize, quantize, tinyModel } from '../../lib/testing/hef/models.ts'
import { needsTool } from '../../lib/testing/needs.ts'
import { until } from '../../lib/testing/until.ts'
import { FfiError } from '../errors.ts'
import { cacheFolder } from '../testing/build.ts'
import { hailortStandin, standinOf, type Standin } from '../testing/hailort.ts'
import { compileShim, findHeaders } from './compile-shim.ts'
import { InferModel } from './infer-model.ts'
import { openHailort, type Hailort } from './library.ts'
import { HailoError } from './status.ts'

const skip = needsTool('gcc') || needsTool('g++')
const standinHeaders = join(import.meta.dirname, '../testing/hailort-cpp')

interface Bench {
  hailort: Hailort
  standin: Standin
  folder: string
  env: Record<string, string>
  path: string
}

const draftsIn = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(path => /(^|\/)\.[^/]*\.so$/.test(path))

/**
 * A Hailo-10H and a HEF for it. What is compiled is kept for all tests and runs, or in a folder of one's own where
 * compiling is the point.
 */
async function on10H(body: (bench: Bench) => Promise<void>, o: { ownCache?: true } = {}): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'infer-model-'))
  const hailort = openHailort({ env: { HAILORT_LIB: hailortStandin({ profile: 'D' }) } })
  const standin = standinOf(hailort)
  const misuses = standin.misuses()
  standin.order('ARCH', 'hailo10h')
  try {
    const path = join(folder, 'model.hef')
    writeFileSync(path, tinyModel({ arch: 'hailo10h' }).hef)
    const cache = o.ownCache ? folder : cacheFolder()
    await body({ hailort, standin, folder, path, env: { HAILORT_INCLUDE: standinHeaders, XDG_CACHE_HOME: cache } })
    assert.deepEqual([standin.live(), standin.misuses()], [0, misuses])
  } finally {
    standin.reset()
    rmSync(folder, { recursive: true })
  }
}

const wave = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i / 4) * 0.7)
const isKind = (kind: FfiError['kind'], words: RegExp) => (thrown: unknown) =>
  thrown instanceof FfiError && thrown.kind === kind && words.test(`${thrown.message} ${thrown.hint}`)

test("InferModel answers as the model's arithmetic does, frame after frame", { skip }, async () => {
  await on10H(async ({ hailort, env, path }) => {
    const tiny = tinyModel()
    await using model = await InferModel.open({ hailort, path, env })
    assert.deepEqual([model.names(true), model.names(false)], [['net/mix'], ['net/voices', 'net/noise']])
    assert.deepEqual(
      ['net/mix', 'net/voices', 'net/noise', 'net/none'].map(name => model.frameBytes(name)),
      [256, 512, 256, 0],
    )
    const outputs = [new Float32Array(128), new Float32Array(64)]
    for (let i = 1; i <= 100; i++) {
      const input = wave.map(x => x / i)
      await model.run({ inputs: [input], outputs, timeoutMs: 1000 })
      const answer = runHefModel(tiny.model, [quantize(input, tiny.inputLevels)])
      for (const k of [0, 1]) assert.deepEqual(outputs[k], dequantize(answer[k]!, tiny.outputLevels[k]!), `frame ${i}`)
    }
  })
})

/** A compiler that writes `compiled` where the result is asked for, and one line for each call. */
const countingCompiler = (folder: string, first = ':') =>
  fakeCompiler(
    folder,
    `${first}; while [ "$1" != -o ]; do shift; done; printf compiled > "$2"; echo call >> "${folder}/calls"`,
  )

test('compileShim() compiles once for a library, and again for other flags', { skip }, async () => {
  await on10H(
    async ({ hailort, env, folder }) => {
      const CXX = countingCompiler(folder)
      const first = await compileShim(hailort, { env: { ...env, CXX } })
      assert.equal(await compileShim(hailort, { env: { ...env, CXX } }), first)
      assert.equal(readFileSync(join(folder, 'calls'), 'utf8'), 'call\n')
      const flagged = join(folder, 'flagged')
      mkdirSync(flagged)
      const other = await compileShim(hailort, { env: { ...env, CXX: countingCompiler(flagged) } })
      assert.notEqual(other, first)
      assert.ok(other.startsWith(folder) && existsSync(other))
    },
    { ownCache: true },
  )
})

test('compileShim() says what to install when headers or a compiler are absent', { skip }, async () => {
  await on10H(
    async ({ hailort, env }) => {
      await assert.rejects(
        compileShim(hailort, { env: { ...env, HAILORT_INCLUDE: '/nowhere' } }),
        isKind('absent', /\/nowhere.*sudo apt install g\+\+ hailo-h10-all.*HAILORT_INCLUDE=/),
      )
      await assert.rejects(
        compileShim(hailort, { env: { ...env, CXX: 'no-such-g++' } }),
        isKind('absent', /no-such-g\+\+ does not run \(ENOENT\).*apt install/),
      )
    },
    { ownCache: true },
  )
})

test(
  "compileShim() tells the compiler's words when the headers are of another HailoRT, and leaves nothing behind",
  { skip },
  async () => {
    await on10H(
      async ({ hailort, env, folder }) => {
        mkdirSync(join(folder, 'old/hailo'), { recursive: true })
        writeFileSync(join(folder, 'old/hailo/hailort.hpp'), 'namespace hailort { class VDevice {}; }\n')
        const job = () => compileShim(hailort, { env: { ...env, HAILORT_INCLUDE: join(folder, 'old') } })
        await assert.rejects(job(), isKind('refused', /refuses infer-model\.cpp with these headers:\n.*error/))
        await assert.rejects(job(), isKind('refused', /error/))
      },
      { ownCache: true },
    )
  },
)

/** A compiler of our own making: a shell script. */
function fakeCompiler(folder: string, body: string): string {
  const path = join(folder, 'fake-g++')
  writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 })
  return path
}

test('compileShim() is absent with the folder and the variable when the cache cannot be made', { skip }, async () => {
  await on10H(
    async ({ hailort, env, folder }) => {
      const file = join(folder, 'a-file')
      writeFileSync(file, '')
      for (const cache of [file, '/proc/nope', '/etc/passwd']) {
        await assert.rejects(
          compileShim(hailort, { env: { ...env, XDG_CACHE_HOME: cache } }),
          isKind(
            'absent',
            new RegExp(
              `cannot be kept in "${cache}/rungbook/infer-model-\\w+" \\((ENOTDIR|ENOENT|EEXIST)\\) .*export ` +
                'XDG_CACHE_HOME=',
            ),
          ),
          cache,
        )
      }
    },
    { ownCache: true },
  )
})

test("compileShim() is absent when the cache is another's, or full, and leaves no draft behind", { skip }, async () => {
  await on10H(
    async ({ hailort, env, folder }) => {
      const complaints = {
        'No space left on device': 'fatal error: error writing to x.s: No space left on device',
        'Permission denied': '/usr/bin/ld: cannot open output file /c/.1.so: Permission denied',
        'Read-only file system': 'cannot write: Read-only file system',
      }
      for (const [why, complaint] of Object.entries(complaints)) {
        const CXX = fakeCompiler(
          folder,
          `for word; do case $word in *.so) touch "$word";; esac; break; done; echo '${complaint}' >&2; exit 1`,
        )
        await assert.rejects(
          compileShim(hailort, { env: { ...env, CXX } }),
          isKind('absent', new RegExp(`\\(${why}\\) .*XDG_CACHE_HOME=`)),
          why,
        )
      }
      assert.deepEqual(draftsIn(folder), [])
    },
    { ownCache: true },
  )
})

test('compileShim() is absent when another process takes its folder away while it compiles', { skip }, async () => {
  await on10H(
    async ({ hailort, env, folder }) => {
      const CXX = fakeCompiler(folder, `rm -rf "${folder}/rungbook"`)
      await assert.rejects(
        compileShim(hailort, { env: { ...env, CXX } }),
        isKind('absent', /cannot be kept in .* \(ENOENT\)/),
      )
    },
    { ownCache: true },
  )
})

test('compileShim() ends a compiler that does not end, and says so', { skip }, async () => {
  await on10H(
    async ({ hailort, env, folder }) => {
      const CXX = fakeCompiler(folder, `echo $$ > "${folder}/pid"; exec sleep 60`)
      await assert.rejects(
        compileShim(hailort, { env: { ...env, CXX }, timeoutMs: 1000 }),
        isKind('refused', /did not compile .* within 1 s, and was ended/),
      )
      const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'))
      assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
    },
    { ownCache: true },
  )
})

test('compileShim() ends the compiler when its own process ends', { skip }, async () => {
  await on10H(
    async ({ hailort, env, folder }) => {
      const CXX = fakeCompiler(folder, `echo $$ > "${folder}/pid"; exec sleep 60`)
      const [shim, library] = ['compile-shim.ts', 'library.ts'].map(name =>
        JSON.stringify(join(import.meta.dirname, name)),
      )
      const script = `
      const { compileShim } = await import(${shim})
      const { openHailort } = await import(${library})
      const { existsSync } = await import('node:fs')
      void compileShim(openHailort(), { env: ${JSON.stringify({ ...env, CXX })} })
      setInterval(() => existsSync(${JSON.stringify(join(folder, 'pid'))}) && process.exit(), 20)`
      execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
        env: { ...process.env, HAILORT_LIB: hailort.library.path },
      })
      const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'))
      await until(() => !existsSync(`/proc/${pid}`) || / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')))
    },
    { ownCache: true },
  )
})

test(
  'compileShim() has the compiler speak English, and gives its last words when none of them is an error',
  { skip },
  async () => {
    await on10H(
      async ({ hailort, env, folder }) => {
        const CXX = fakeCompiler(folder, 'echo "speaks $LC_ALL" >&2; exit 1')
        await assert.rejects(
          compileShim(hailort, { env: { ...env, CXX } }),
          isKind('refused', /with these headers:\nspeaks C /),
        )
      },
      { ownCache: true },
    )
  },
)

test('compileShim() serves two models that are opened at once', { skip }, async () => {
  await on10H(
    async ({ hailort, env, folder }) => {
      const own = { ...env, CXX: countingCompiler(folder, 'sleep 0.1') }
      const [one, two] = await Promise.all([compileShim(hailort, { env: own }), compileShim(hailort, { env: own })])
      assert.deepEqual([one, draftsIn(folder)], [two, []])
      assert.equal(readFileSync(one, 'utf8'), 'compiled')
    },
    { ownCache: true },
  )
})

test(
  'InferModel.open() says how to come by new functions when those that were kept do not open',
  { skip },
  async () => {
    await on10H(
      async ({ hailort, env, path, folder }) => {
        const own = { ...env, CXX: countingCompiler(folder) }
        const shim = await compileShim(hailort, { env: own })
        writeFileSync(shim, '')
        await assert.rejects(
          InferModel.open({ hailort, path, env: own }),
          isKind('absent', /it is empty compile it again: rm -r .+infer-model-\w+.?; .*XDG_CACHE_HOME=/),
        )
      },
      { ownCache: true },
    )
  },
)

test('findHeaders() looks beside the library, then in the usual folders', { skip }, async () => {
  await on10H(async ({ hailort, env }) => {
    assert.equal(findHeaders(hailort, env), standinHeaders)
    assert.throws(() => findHeaders(hailort, {}), isKind('absent', /\/usr\/include, \/usr\/local\/include/))
  })
})

test('InferModel.open() gives the statuses of the library when the device or the file is wrong', { skip }, async () => {
  await on10H(async ({ hailort, standin, env, path, folder }) => {
    const status = (number: number) => (thrown: unknown) => thrown instanceof HailoError && thrown.status === number
    standin.order('DEVICES', 0)
    await assert.rejects(InferModel.open({ hailort, path, env }), status(74))
    standin.order('DEVICES', 1)
    await assert.rejects(InferModel.open({ hailort, path: '/nowhere.hef', env }), status(13))
    const foreign = join(folder, 'foreign.hef')
    writeFileSync(foreign, tinyModel({ arch: 'hailo8' }).hef)
    await assert.rejects(InferModel.open({ hailort, path: foreign, env }), status(93))
    await assert.rejects(InferModel.open({ hailort, path, env, deviceId: '0000:44:00.0' }), status(2))
  })
})

test('InferModel shares a device under one group id, and takes the device that is named', { skip }, async () => {
  await on10H(async ({ hailort, standin, env, path }) => {
    standin.order('DEVICES', 2)
    await using first = await InferModel.open({ hailort, path, env, groupId: 'shared', deviceId: '0000:02:00.0' })
    await using second = await InferModel.open({ hailort, path, env, groupId: 'shared', deviceId: '0000:02:00.0' })
    await assert.rejects(InferModel.open({ hailort, path, env, deviceId: '0000:02:00.0' }), HailoError)
    assert.deepEqual(first.names(true), second.names(true))
  })
})

test('run() ends at the timeout, and what is closed during a run waits for it', { skip }, async () => {
  await on10H(async ({ hailort, standin, env, path }) => {
    const outputs = [new Float32Array(128), new Float32Array(64)]
    const model = await InferModel.open({ hailort, path, env, measuresLatency: true })
    standin.order('LATENCY_US', 60_000)
    await assert.rejects(
      model.run({ inputs: [wave], outputs, timeoutMs: 20 }),
      (thrown: unknown) =>
        thrown instanceof HailoError &&
        thrown.statusName === 'HAILO_TIMEOUT' &&
        thrown.message.includes('read every output') === false,
    )
    const last = model.run({ inputs: [wave], outputs, timeoutMs: 1000 })
    await Promise.all([model[Symbol.asyncDispose](), model[Symbol.asyncDispose]()])
    await last
    assert.throws(() => model.latencyMs(), isKind('usage', /it is closed/))
  })
})

test('latencyMs() tells what a frame takes when it is asked for, and refuses when it is not', { skip }, async () => {
  await on10H(async ({ hailort, standin, env, path }) => {
    const outputs = [new Float32Array(128), new Float32Array(64)]
    standin.order('LATENCY_US', 3000)
    await using model = await InferModel.open({ hailort, path, env, measuresLatency: true })
    await model.run({ inputs: [wave], outputs, timeoutMs: 1000 })
    assert.equal(model.latencyMs(), 3.25)
  })
  await on10H(async ({ hailort, env, path }) => {
    await using model = await InferModel.open({ hailort, path, env })
    assert.throws(
      () => model.latencyMs(),
      (thrown: unknown) => thrown instanceof HailoError && thrown.statusName === 'HAILO_NOT_AVAILABLE',
    )
  })
})
