/**
 * Did every test that the tree holds really run?
 *
 * Node 20's own runner finds no `.ts` file and is content with no test at all. This one names the files, counts the tests that
 * the files declare (a line that starts with `test(`), and fails when the count that ran differs. With `--no-skips` (set by
 * `.ci/run`) a skipped test fails too, but for those that want data which is not part of the project.
 *
 *   npm test                              every test
 *   npm test -- lib/notebook              those whose path contains a word
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { haveData } from './needs.ts'

const root = join(import.meta.dirname, '../..')
const folders = ['lib', 'ffi', 'runbooks']
const words = process.argv.slice(2).filter(word => !word.startsWith('--'))
const noSkips = process.argv.includes('--no-skips')

const files = folders
  .flatMap(folder => {
    try {
      return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map(name => join(root, folder, name))
    } catch {
      return []
    }
  })
  .filter(path => path.endsWith('.test.ts'))
  .filter(path => words.length === 0 || words.some(word => path.includes(word)))
  .toSorted()

const declared = files.reduce((sum, path) => sum + [...readFileSync(path, 'utf8').matchAll(/^test\(/gm)].length, 0)
const count = { passed: 0, failed: 0, skipped: 0 }
const complaints: string[] = []

const stream = run({ files, concurrency: 2, timeout: 600_000 })
stream.on('test:pass', ({ name, nesting, skip, file }) => {
  if (nesting > 0 || name === file) return
  if (skip === undefined || skip === false) return void count.passed++
  count.skipped++
  const wantsData = typeof skip === 'string' && skip.startsWith('data:') && !haveData()
  if (noSkips && !wantsData) complaints.push(`skipped, and must not be here: ${name} (${skip})`)
})
stream.on('test:fail', ({ name, nesting, file }) => {
  if (nesting > 0) return
  count.failed++
  complaints.push(`failed: ${relative(root, file ?? '')}: ${name}`)
})
stream.compose(new spec()).pipe(process.stdout)
stream.on('end', () => {
  const ran = count.passed + count.failed + count.skipped
  if (ran !== declared) complaints.push(`${declared} tests are declared in ${files.length} files, but ${ran} ran`)
  if (declared === 0) complaints.push('no test is declared: wrong word?')
  setImmediate(() => {
    for (const complaint of complaints) console.log(complaint)
    console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`)
    process.exitCode = complaints.length === 0 ? 0 : 1
  })
})
