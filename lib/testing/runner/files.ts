/**
 * Finds the test files, says to which system each belongs, and puts them into the processes that run them.
 *
 * A process with tsx costs 0.3 s of CPU before its first test, and every file loads much of the same code, so files of
 * one folder share a process. A file that cannot share one says so, in a line of its own with the reason.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join, relative, sep } from 'node:path'

/** A test file, and what it says of itself. */
export interface TestFile {
  /** From the root, with forward slashes. */
  readonly path: string
  /** How many tests it declares: lines that start with `test(`. */
  readonly declared: number
  /**
   * It says so in a line that starts with `// Own process: `, or has a hook before or after each test at the left edge,
   * which would be called for the tests of other files too.
   */
  readonly isAlone: boolean
}

const folders = ['lib', 'ffi', 'runbooks']

/**
 * The test files whose path from the root contains one of the words, all of them without a word, in the order of their
 * names.
 */
export function findTestFiles(root: string, words: readonly string[]): TestFile[] {
  return folders
    .filter(folder => existsSync(join(root, folder)))
    .flatMap(folder =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map(at => join(folder, at)),
    )
    .map(path => path.replaceAll(sep, '/'))
    .filter(path => path.endsWith('.test.ts'))
    .filter(path => words.length === 0 || words.some(word => path.includes(relativeWord(root, word))))
    .toSorted()
    .map(path => {
      const text = readFileSync(join(root, path), 'utf8')
      return {
        path,
        declared: [...text.matchAll(/^test\(/gm)].length,
        isAlone: /^(\/\/ Own process: \S|(test\.)?(before|beforeEach|afterEach)\()/m.test(text),
      }
    })
}

/** A word as it stands in a path from the root: `./lib/a` and `/home/me/rungbook/lib/a` are `lib/a`. */
function relativeWord(root: string, word: string): string {
  const fromRoot = word.startsWith(root) ? relative(root, word) : word
  return fromRoot.replace(/^\.\//, '')
}

/** Where the time of a test is booked. The first pattern that a path matches names its system. */
const systems: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['parakeet', /parakeet|\/tdt\b|\/nemo\b|plan-004/],
  ['whisper', /whisper|\/ct2\b|lib\/speech|plan-003/],
  ['edgeinfer', /edgeinfer|\/tcn\b|lib\/serve|lib\/deploy|plan-00[12]/],
]

/** The system whose tests these are. What belongs to none of the other three is `ladder and C ABIs`. */
export function systemOf(path: string): string {
  return systems.find(([, pattern]) => pattern.test(path))?.[0] ?? 'ladder and C ABIs'
}

/** How many files share a process at most: when one of them ends the process, those behind it do not run. */
const filesMax = 16

/**
 * The files of each process: those of one system and one part of the tree together, at most 16, and one that must be
 * alone by itself. Runbooks come first, because they take longest.
 */
export function batchesOf(files: readonly TestFile[]): TestFile[][] {
  const groups = new Map<string, TestFile[]>()
  for (const file of files) {
    const part = file.path.split('/').slice(0, -1).slice(0, 2).join('/')
    const key = file.isAlone ? file.path : `${systemOf(file.path)} ${part}`
    groups.set(key, [...(groups.get(key) ?? []), file])
  }
  const batches = [...groups.values()].flatMap(group =>
    Array.from({ length: Math.ceil(group.length / filesMax) }, (_, i) => group.slice(i * filesMax, (i + 1) * filesMax)),
  )
  const isRunbook = (batch: readonly TestFile[]) => batch[0]!.path.startsWith('runbooks/')
  return [...batches.filter(isRunbook), ...batches.filter(batch => !isRunbook(batch))]
}
