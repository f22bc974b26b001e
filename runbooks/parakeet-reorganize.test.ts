import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test from 'node:test'
import { runInProcess } from '../lib/testing/run-in-process.ts'
import reorganize from './parakeet-reorganize.ts'
import inventory from './parakeet-inventory.ts'

/** A git tree with some of the original's places. */
function tree(): string {
  const root = mkdtempSync(join(tmpdir(), 'rungbook-'))
  const files = {
    'tools/export_onnx/export.py': 'import os\nif __name__ == "__main__":\n    print(os.environ["EXPORT_DEVICE"])\n',
    'cpp/CMakeLists.txt': 'project(x)\n',
    'cpp/main.cpp': 'int main() { return getenv("TRT_LOG") == nullptr; }\n',
    'contracts/a.contract.json': '{}\n',
    'README.md': 'Run tools/export_onnx/export.py\n',
    'tools/verify_nemo/parity.py': 'x = 1\n',
  }
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const git = (...words: string[]) =>
    execFileSync('git', ['-C', root, '-c', 'user.name=t', '-c', 'user.email=t@t', ...words])
  git('init', '-q')
  git('add', '-A')
  git('commit', '-qm', 'first')
  return root
}

test('parakeet-inventory finds builds, programs, contracts, tools and switches, and names each section', async () => {
  const ran = await runInProcess(inventory, ['--run-ts', 't', '--tree', tree()])
  assert.match(ran.verdict, /^PASS parakeet-inventory gates=2\/2 /)
  const found = JSON.parse(ran.read('inventory.json'))
  const whats = (list: string) =>
    found[list].map(({ path, what }: { path: string; what: string }) => `${path}: ${what}`)
  assert.deepEqual(whats('buildSystems'), ['cpp/CMakeLists.txt: CMake'])
  assert.deepEqual(whats('entryPoints').toSorted(), [
    'cpp/main.cpp: C or C++ program',
    'tools/export_onnx/export.py: Python program',
  ])
  assert.deepEqual(whats('contracts'), ['contracts/a.contract.json: contract'])
  assert.deepEqual(whats('parityTools'), ['tools/verify_nemo/parity.py: parity tool'])
  assert.deepEqual(found.toggles.map(({ what }: { what: string }) => what).toSorted(), ['EXPORT_DEVICE', 'TRT_LOG'])
  assert.match(ran.read('INVENTORY.md'), /## Unknowns/)
})

test('parakeet-reorganize plans first, and with --apply moves one phase so that git sees renames', async () => {
  const root = tree()
  const planned = await runInProcess(reorganize, ['--run-ts', 't', '--tree', root])
  assert.match(planned.verdict, /^PASS parakeet-reorganize gates=2\/2 /)
  const proposal = planned.read('REPO_ORGANIZATION_PROPOSAL.md')
  assert.match(proposal, /\| tools\/export_onnx \| python\/export \| .* \| 1 \| nothing \|/)
  assert.match(proposal, /git mv python\/export tools\/export_onnx/)
  assert.ok(existsSync(join(root, 'tools/export_onnx')))
  const applied = await runInProcess(reorganize, ['--run-ts', 't', '--tree', root, '--apply'])
  assert.match(applied.verdict, /^PASS parakeet-reorganize gates=4\/4 /)
  assert.ok(existsSync(join(root, 'python/export/export.py')) && existsSync(join(root, 'cpp')))
  const again = await runInProcess(reorganize, ['--run-ts', 't', '--tree', root, '--apply', '--phase', '3'])
  assert.match(again.verdict, /^FAIL parakeet-reorganize /)
  assert.ok(existsSync(join(root, 'cpp')))
})

test('parakeet-reorganize refuses moves out of the tree, and is BLOCKED with nothing to move', async () => {
  const root = tree()
  const moves = join(mkdtempSync(join(tmpdir(), 'rungbook-')), 'moves.json')
  writeFileSync(moves, JSON.stringify([{ from: 'cpp', to: '../cpp' }]))
  const outside = await runInProcess(reorganize, ['--run-ts', 't', '--tree', root, '--moves', moves])
  assert.match(outside.verdict, /^USAGE parakeet-reorganize /)
  writeFileSync(moves, JSON.stringify([{ from: 'cpp', to: 'tools' }]))
  const taken = await runInProcess(reorganize, ['--run-ts', 't', '--tree', root, '--moves', moves])
  assert.match(taken.verdict, /^FAIL parakeet-reorganize /)
  writeFileSync(moves, '[]')
  assert.match(
    (await runInProcess(reorganize, ['--run-ts', 't', '--tree', root, '--moves', moves])).verdict,
    /^BLOCKED /,
  )
})
