import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { encodeModel } from '../formats/onnx/index.ts'
import { halves } from '../testing/infer/fixtures.ts'

const root = join(import.meta.dirname, '../..')

/** What a process leaves in its home folder when it runs a model by this script. */
function leftBy(script: string): string[] {
  const home = mkdtempSync(join(tmpdir(), 'home-'))
  try {
    const model = join(home, 'model.onnx')
    writeFileSync(model, encodeModel(halves(2)))
    // On a machine that says it is a CI the library sends nothing, and the first check below could not hold.
    const { ORT_DISABLE_TELEMETRY: _, XDG_CACHE_HOME: __, CI: ___, ...env } = process.env
    execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script, model], {
      cwd: root,
      env: { ...env, HOME: home, TMPDIR: home, TSX_DISABLE_CACHE: '1' },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    return (readdirSync(home, { recursive: true }) as string[]).filter(name => /onnxruntime|\.ses$/.test(name))
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

test('onnxruntimeNode() and openOrtC() run a model and leave nothing that is meant to leave the machine', () => {
  // As the library does unless told: without this the checks below could not fail.
  const bare = `const ort = await import('onnxruntime-node'); await ort.InferenceSession.create(process.argv[1])`
  assert.ok(leftBy(bare).length > 0)
  const byPackage = `
    const { openOrtNode } = await import('./lib/infer/ort/node-package.ts')
    await openOrtNode(process.argv[1])`
  const byLibrary = `
    const { openOrtC } = await import('./lib/infer/ort/c-api.ts')
    await openOrtC(process.argv[1])`
  assert.deepEqual([leftBy(byPackage), leftBy(byLibrary)], [[], []])
})
