import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { sha256File } from '../lib/host/digest.ts'
import { readTsv } from '../lib/host/tsv.ts'
import { makeExport } from '../lib/testing/edgeinfer/exports.ts'
import { installHailoStandin } from '../lib/testing/hailo-program/install-standin.ts'
import { runInProcess } from '../lib/testing/run-in-process.ts'
import compile from './edgeinfer-compile.ts'

const root = mkdtempSync(join(tmpdir(), 'edgeinfer-compile-'))
test.after(() => rmSync(root, { recursive: true, force: true }))
const { folder: dfc } = installHailoStandin(join(root, 'venv'), { wheel: '3.33.0' })

/** Compile on the stand-in for the vendor's compiler, in a home of its own. */
async function onStandin(name: string, fate: string) {
  const home = join(root, name)
  await makeExport(join(home, 'exports'))
  process.env.HAILO_STANDIN = fate
  try {
    const words = ['--dfc', dfc, '--hw-arch', 'hailo8l', '--calibration', '16']
    const ran = await runInProcess(compile, words, { env: { EDGEINFER_HOME: home }, cwd: root })
    return { ...ran, home, rows: readTsv(ran.path('edgeinfer_summary.tsv')) }
  } finally {
    delete process.env.HAILO_STANDIN
  }
}

test('edgeinfer-compile on the Dataflow Compiler publishes a HEF, and leaves its parity to a board', async () => {
  const ran = await onStandin('good', 'success')
  assert.equal(ran.exit, 3, ran.stderr)
  const hef = join(ran.home, 'artifacts/tcn_encoder.hef')
  assert.ok(existsSync(hef))
  assert.match(ran.stdout, /Compile status: 1\/\d+ ; toolchain=dfc/)
  assert.match(ran.verdict, /BLOCKED edgeinfer-compile .*toolchain=dfc/)
  assert.ok(ran.verdict.includes(`--backend hailort --model ${hef}`), ran.verdict)
  const config = readFileSync(join(ran.home, 'artifacts/export_config.yaml'), 'utf8')
  for (const word of ['stage: compiled', 'toolchain: dfc']) assert.ok(config.includes(word), word)
  const metadata = JSON.parse(readFileSync(`${hef}.json`, 'utf8')) as Record<string, unknown>
  assert.deepEqual(
    [metadata.sha256, metadata.hw_arch, metadata.calibration_windows, metadata.proves],
    [sha256File(hef), 'hailo8l', 16, 'a HEF for the device'],
  )
  assert.match(JSON.stringify(metadata.versions), /"toolchain":"dfc"/)
  for (const name of ['golden.npz', 'tcn_encoder.yaml']) assert.ok(existsSync(join(ran.home, 'artifacts', name)), name)
})

test('edgeinfer-compile fails, and publishes nothing, when no form compiles', async () => {
  const ran = await onStandin('none', 'allocator_infeasible')
  assert.equal(ran.exit, 1)
  assert.equal(ran.rows[0]!.failure, 'allocator_infeasible')
  assert.deepEqual(new Set(ran.rows.map(({ status }) => status)), new Set(['failed']))
  assert.ok(!existsSync(join(ran.home, 'artifacts/tcn_encoder.hef')))
  assert.match(ran.verdict, /--profile extended/)
})
