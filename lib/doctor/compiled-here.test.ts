import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test from 'node:test'
import { compiledHef } from './compiled-here.ts'

/** A folder of runs with these files. */
function runs(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'compiled-here-'))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}
const sweep = (next: string | null = null) => JSON.stringify({ runbook: 'sweep', next })
const found = (files: Readonly<Record<string, string>>, shown = 'module_runs') =>
  compiledHef({ folder: runs(files), shown, by: 'sweep' })

test('compiledHef() takes the newest sweep that made one, and what it proposes', () => {
  const files = {
    '1/report.json': sweep(),
    '1/a/model.hef': '',
    '3/report.json': sweep(),
    '3/a/model.onnx': '',
    '2/report.json': sweep('npx tsx runbooks/monolithic-infer.ts --model module_runs/2/b/model.hef'),
    '2/a/model.hef': '',
    '2/b/model.hef': '',
  }
  assert.equal(found(files), 'module_runs/2/b/model.hef')
  assert.equal(found({ ...files, '2/report.json': sweep() }), 'module_runs/2/a/model.hef')
})

test('compiledHef() is null when no sweep made one, whatever else lies there', () => {
  assert.equal(compiledHef({ folder: '/nowhere', shown: 'x', by: 'sweep' }), null)
  assert.equal(
    found({
      '1/report.json': '{"runbook":"bench"}',
      '1/a/model.hef': '',
      '2/report.json': 'torn {',
      '2/a/x.hef': '',
      file: '',
    }),
    null,
  )
})

test('compiledHef() gives the path as a shell takes it, by its run and not by the link', () => {
  const files = { '1/report.json': sweep(), '1/a/model.hef': '' }
  const folder = runs(files)
  symlinkSync('1', join(folder, 'latest'))
  assert.equal(compiledHef({ folder, shown: '/tmp/my runs', by: 'sweep' }), "'/tmp/my runs/1/a/model.hef'")
})
