/**
 * Runs the tests by name, counts them, and fails when one that a file declares did not run.
 *
 * Node 20's own runner finds no `.ts` file and is content with no test at all. This one names the files, counts the
 * tests that the files declare (a line that starts with `test(`), and fails when the count that ran differs. With
 * `--no-skips` (set by `.ci/run`) a skipped test fails too, but for those that want data which is not part of the
 * project, or memory without sanitizers.
 *
 *   npm test                              every test
 *   npm test -- lib/notebook              those whose path contains a word
 *   npm run test:sanitize                 those that call native code, with every stand-in under AddressSanitizer and
 * UBSan
 */
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { pathToFileURL } from 'node:url'
import { sanitizerEnv } from '../../ffi/testing/build.ts'
import { haveData } from './needs.ts'

const root = join(import.meta.dirname, '../..')
const folders = ['lib', 'ffi', 'runbooks']
const words = process.argv.slice(2).filter(word => !word.startsWith('--'))
const noSkips = process.argv.includes('--no-skips')
const logs = process.argv.includes('--sanitize') ? mkdtempSync(join(tmpdir(), 'sanitizer-')) : null
// For the test files and all that they start; this process has no library to watch.
if (logs) Object.assign(process.env, sanitizerEnv({ logs }))

const files = folders
  .flatMap(folder => {
    try {
      return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map(name =>
        join(root, folder, name),
      )
    } catch {
      return []
    }
  })
  .filter(path => path.endsWith('.test.ts'))
  .filter(path => words.length === 0 || words.some(word => path.includes(word)))
  .toSorted()

/**
 * What AddressSanitizer and UBSan found in any process. They also write that they cannot unwind koffi's stacks, which
 * is no find.
 */
function sanitizerComplaints(folder: string): string[] {
  const texts = readdirSync(folder).map(name => readFileSync(join(folder, name), 'utf8'))
  return texts.filter(text => /ERROR: |runtime error: /.test(text)).map(text => `a sanitizer complains:\n${text}`)
}

// In a terminal node has test files write colours, which what they start would inherit: texts are compared as they are.
delete process.env.FORCE_COLOR
process.env.NODE_DISABLE_COLORS = '1'

const declared = files.reduce((sum, path) => sum + [...readFileSync(path, 'utf8').matchAll(/^test\(/gm)].length, 0)
const count = { passed: 0, failed: 0, skipped: 0 }
const complaints: string[] = []

const cpuFolder = mkdtempSync(join(tmpdir(), 'rungbook-cpu-'))
process.env.RUNGBOOK_TEST_CPU = cpuFolder
// Test files start with the flags of this process, so the preload goes to them and to nothing that they start.
process.execArgv.push('--import', pathToFileURL(join(import.meta.dirname, 'cpu-of-test.ts')).href)

/** CPU seconds of each test file, most first. */
function cpuOfFiles(): { seconds: number; file: string }[] {
  const text = existsSync(join(cpuFolder, 'cpu.tsv')) ? readFileSync(join(cpuFolder, 'cpu.tsv'), 'utf8') : ''
  rmSync(cpuFolder, { recursive: true })
  return text
    .split('\n')
    .filter(Boolean)
    .map(line => line.split('\t'))
    .map(([seconds, file]) => ({ seconds: Number(seconds), file: relative(root, file!) }))
    .toSorted((a, b) => b.seconds - a.seconds)
}

const stream = run({ files, concurrency: 2, timeout: 600_000 })
stream.on('test:pass', ({ name, nesting, skip, file }) => {
  if (nesting > 0 || name === file) return
  if (skip === undefined || skip === false) return void count.passed++
  count.skipped++
  const reason = String(skip)
  const isFine = (reason.startsWith('data:') && !haveData()) || (reason.startsWith('sanitizer:') && logs !== null)
  if (noSkips && !isFine) complaints.push(`skipped, and must not be here: ${name} (${skip})`)
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
  if (logs) {
    complaints.push(...sanitizerComplaints(logs))
    rmSync(logs, { recursive: true })
  }
  setImmediate(() => {
    for (const complaint of complaints) console.log(complaint)
    const cpu = cpuOfFiles()
    for (const { seconds, file } of cpu.slice(0, 10)) console.log(`${seconds.toFixed(1).padStart(6)} s of CPU  ${file}`)
    const total = cpu.reduce((sum, { seconds }) => sum + seconds, 0)
    console.log(`${total.toFixed(1).padStart(6)} s of CPU in ${cpu.length} files`)
    console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`)
    process.exitCode = complaints.length === 0 ? 0 : 1
  })
})
