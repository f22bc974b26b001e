/**
 * Runs the tests by name, counts them, and fails when one that a file declares did not run.
 *
 * Node 20's own runner finds no `.ts` file and is content with no test at all. This one names the files, counts the
 * tests that each declares (lines that start with `test(`), and fails when another count ran. It ends with the files
 * that took most CPU and the CPU of each system; no time fails anything.
 *
 *   npm test                              every test
 *   npm test -- lib/notebook              those whose path contains a word; several words, several parts
 *   npm test -- --name 'when it is full'  those whose name matches a pattern
 *   npm test -- --no-skips                a skipped test fails, but for those that want data which is not part of the
 *                                         project, or memory without sanitizers; `.ci/run` says this
 *   npm test -- --slowest 400            more than the ten files that took most CPU
 *   npm test -- --root DIR                the tests of another folder that holds `lib`, `ffi` or `runbooks`
 *   npm run test:sanitize                 those that call native code, with every stand-in under AddressSanitizer and
 *                                         UBSan
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { Transform } from 'node:stream'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { sanitizerEnv } from '../../ffi/testing/build.ts'
import { asError } from '../base/errors.ts'
import { haveData } from './needs.ts'
import { batchesOf, findTestFiles, systemOf, type TestFile } from './runner/files.ts'

type Events = ReturnType<typeof run>

const batchFile = join(import.meta.dirname, 'runner/batch.ts')

/** What node:test tells of one test; `file` is absent before 20.17 and in a few failures. */
interface TestEvent {
  readonly name: string
  readonly nesting: number
  readonly file?: string
  readonly skip?: string | boolean
}

interface Setting {
  readonly words: readonly string[]
  readonly names: readonly string[]
  readonly noSkips: boolean
  readonly root: string
  readonly slowest: number
}

function readWords(argv: readonly string[]): Setting & { sanitize: boolean } {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      name: { type: 'string', multiple: true, default: [] },
      'no-skips': { type: 'boolean', default: false },
      sanitize: { type: 'boolean', default: false },
      slowest: { type: 'string', default: '10' },
      root: { type: 'string', default: join(import.meta.dirname, '../..') },
    },
  })
  return {
    words: positionals,
    names: values.name,
    noSkips: values['no-skips'],
    sanitize: values.sanitize,
    root: resolve(values.root),
    slowest: Number(values.slowest),
  }
}

/** A module for each process, in `folder`, and the files that it runs. */
function writeBatches(folder: string, root: string, files: readonly TestFile[]): Map<string, readonly TestFile[]> {
  const runner = pathToFileURL(batchFile).href
  return new Map(
    batchesOf(files).map((batch, i) => {
      const path = join(folder, `tests-${i + 1}.mjs`)
      const paths = JSON.stringify(batch.map(file => join(root, file.path)))
      const call = `await runBatch(${paths}, ${JSON.stringify(join(folder, 'cpu.tsv'))})`
      writeFileSync(path, `import { runBatch } from ${JSON.stringify(runner)}\n${call}\n`)
      return [path, batch]
    }),
  )
}

/** Counts what ran, file by file, and keeps what is wrong. */
class Tally {
  readonly count = { passed: 0, failed: 0, skipped: 0 }
  readonly complaints: string[] = []
  readonly #ran = new Map<string, number>()
  readonly #setting: Setting
  readonly #sanitizes: boolean
  readonly #batches: ReadonlyMap<string, readonly TestFile[]>

  constructor(setting: Setting, batches: ReadonlyMap<string, readonly TestFile[]>, sanitizes: boolean) {
    this.#setting = setting
    this.#batches = batches
    this.#sanitizes = sanitizes
  }

  /** One of the runner's own: a process as a whole, or the mark behind a file's tests. */
  isOwn({ name, file }: TestEvent): boolean {
    return this.#batches.has(name) || (file === batchFile && name.startsWith('end of '))
  }

  passed(event: TestEvent): void {
    if (event.nesting > 0 || this.isOwn(event)) return
    // Node 20 tells of a test that a pattern leaves out as skipped; later ones are silent.
    if (this.#setting.names.length > 0 && event.skip === 'test name does not match pattern') return
    this.#ranIn(event)
    if (event.skip === undefined || event.skip === false) return void this.count.passed++
    this.count.skipped++
    const reason = String(event.skip)
    const isFine = (reason.startsWith('data:') && !haveData()) || (reason.startsWith('sanitizer:') && this.#sanitizes)
    if (this.#setting.noSkips && !isFine)
      this.complaints.push(`skipped, and must not be here: ${event.name} (${reason})`)
  }

  failed(event: TestEvent): void {
    if (event.nesting > 0) return
    const batch = this.#batches.get(event.name)
    if (batch !== undefined) {
      // The failures of its tests, if there are any, were told already.
      const paths = batch.map(({ path }) => path).join(', ')
      return void this.complaints.push(`the process of these files ended with an error: ${paths}`)
    }
    this.count.failed++
    // Where a file does not load, the runner's own test says so.
    const [, unread] = event.file === batchFile ? (/^(.*) loads$/.exec(event.name) ?? []) : []
    if (unread === undefined) this.#ranIn(event)
    const [path, name] = unread === undefined ? [event.file ?? '', event.name] : [unread, 'it loads']
    this.complaints.push(`failed: ${relative(this.#setting.root, path)}: ${name}`)
  }

  /** Complain of each file whose tests did not all run. A pattern of names leaves tests out on purpose. */
  close(files: readonly TestFile[]): void {
    if (files.length === 0) this.complaints.push(`no test file has ${this.#setting.words.join(' or ')} in its path`)
    else if (this.#setting.names.length > 0) {
      if (this.#ran.size === 0)
        this.complaints.push(`no test has a name that matches ${this.#setting.names.join(' or ')}`)
      return
    }
    for (const { path, declared } of files) {
      const ran = this.#ran.get(path) ?? 0
      if (ran !== declared) this.complaints.push(`${path} declares ${declared} tests, but ${ran} ran`)
    }
  }

  #ranIn({ file }: TestEvent): void {
    const path = relative(this.#setting.root, file ?? '')
    this.#ran.set(path, (this.#ran.get(path) ?? 0) + 1)
  }
}

/**
 * What AddressSanitizer and UBSan found in any process. They also write that they cannot unwind koffi's stacks, which
 * is no find.
 */
function sanitizerComplaints(folder: string): string[] {
  const texts = readdirSync(folder).map(name => readFileSync(join(folder, name), 'utf8'))
  return texts.filter(text => /ERROR: |runtime error: /.test(text)).map(text => `a sanitizer complains:\n${text}`)
}

/** Lines that say which files took most CPU, and how much each system took. */
function cpuLines(cpuFile: string, { root, slowest }: Setting): string[] {
  const text = existsSync(cpuFile) ? readFileSync(cpuFile, 'utf8') : ''
  const rows = text
    .split('\n')
    .filter(Boolean)
    .map(line => line.split('\t'))
    .map(([seconds, file]) => ({ seconds: Number(seconds), file: relative(root, file!) }))
    .toSorted((a, b) => b.seconds - a.seconds)
  const systems = new Map<string, { seconds: number; files: number }>()
  for (const { seconds, file } of rows) {
    for (const name of [systemOf(file), 'all']) {
      const sum = systems.get(name) ?? { seconds: 0, files: 0 }
      systems.set(name, { seconds: sum.seconds + seconds, files: sum.files + 1 })
    }
  }
  const line = (seconds: number, what: string) => `${seconds.toFixed(1).padStart(6)} s of CPU  ${what}`
  return [
    ...rows.slice(0, slowest).map(({ seconds, file }) => line(seconds, file)),
    ...[...systems]
      .toSorted(([, a], [, b]) => a.seconds - b.seconds)
      .map(([name, { seconds, files }]) => line(seconds, `${name}, ${files} ${files === 1 ? 'file' : 'files'}`)),
  ]
}

/** The events as a person is to see them: without the runner's own tests, and without counts of each process. */
function forPeople(events: Events, tally: Tally): NodeJS.ReadableStream {
  const isShown = ({ type, data }: { type: string; data: TestEvent }) =>
    !(type === 'test:diagnostic' && data.nesting === 0) && (type === 'test:fail' || !tally.isOwn(data))
  const filter = new Transform({
    objectMode: true,
    transform: (event, _, done) => (isShown(event) ? done(null, event) : done()),
  })
  return events.pipe(filter).pipe(new spec())
}

/** Run what the words name, and print what came of it. True when nothing is wrong. */
async function main({ sanitize, ...setting }: ReturnType<typeof readWords>): Promise<boolean> {
  const files = findTestFiles(setting.root, setting.words)
  const folder = mkdtempSync(join(tmpdir(), 'rungbook-tests-'))
  const logs = join(folder, 'sanitizer')
  mkdirSync(logs)
  process.env.RUNGBOOK_TEST_FOLDER = folder
  // For the test files and all that they start; this process has no library to watch.
  if (sanitize) Object.assign(process.env, sanitizerEnv({ logs }))
  // In a terminal node has test files write colours, which what they start would inherit: texts are compared as they
  // are.
  delete process.env.FORCE_COLOR
  process.env.NODE_DISABLE_COLORS = '1'

  const batches = writeBatches(folder, setting.root, files)
  const tally = new Tally(setting, batches, sanitize)
  const testNamePatterns = setting.names.map(name => new RegExp(name))
  const events = run({ files: [...batches.keys()], concurrency: 2, timeout: 3_600_000, testNamePatterns })
  events.on('test:pass', event => tally.passed(event as TestEvent))
  events.on('test:fail', event => tally.failed(event as TestEvent))
  for await (const text of forPeople(events, tally)) process.stdout.write(text)
  tally.close(files)
  if (sanitize) tally.complaints.push(...sanitizerComplaints(logs))
  for (const complaint of tally.complaints) console.log(complaint)
  for (const line of cpuLines(join(folder, 'cpu.tsv'), setting)) console.log(line)
  rmSync(folder, { recursive: true })
  const { passed, failed, skipped } = tally.count
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
  return tally.complaints.length === 0
}

try {
  process.exitCode = (await main(readWords(process.argv.slice(2)))) ? 0 : 1
} catch (thrown) {
  console.error(`Cannot run the tests: ${asError(thrown).message}`)
  console.error('what it takes is written at the top of lib/testing/run-tests.ts')
  process.exitCode = 2
}
