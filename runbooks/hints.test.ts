import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import test from 'node:test'
import { knownFlags } from '../lib/notebook/inputs/help.ts'
import { stringsOf, type StringAt } from '../lib/testing/syntax.ts'

const root = join(import.meta.dirname, '..')
const isProduction = (path: string) =>
  path.endsWith('.ts') && !path.endsWith('.test.ts') && !/^(?:lib|ffi)\/testing\//.test(path)
const files = ['ffi', 'lib', 'runbooks'].flatMap(folder =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map(path => join(folder, path))
    .filter(isProduction),
)
const textOf = new Map(files.map(path => [path, readFileSync(join(root, path), 'utf8')]))

/** What each file imports, at once or later. */
const imports = new Map(
  files.map(path => [
    path,
    [...textOf.get(path)!.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, to]) =>
      normalize(join(dirname(path), to!)),
    ),
  ]),
)

function reachedFrom(path: string, seen = new Set<string>()): Set<string> {
  if (seen.has(path)) return seen
  seen.add(path)
  for (const each of imports.get(path) ?? []) reachedFrom(each, seen)
  return seen
}

const runbooks = files.filter(path => /^runbooks\/[\w-]+\.ts$/.test(path))
const flagsOf = new Map<string, Set<string>>()
for (const path of runbooks) {
  const book = (await import(`../${path}`)).default
  flagsOf.set(path, new Set([...knownFlags(book.sheet.inputs).keys(), 'help', 'version']))
}
const has = (path: string, flag: string) =>
  flagsOf.get(path)!.has(flag) || flagsOf.get(path)!.has(flag.replace(/^no-/, ''))
/**
 * The runbooks that a person may have started when a file says something. The bench starts others, and explain-log
 * reads what others left: what they reach is said of those.
 */
const startedWith = new Map(files.map(path => [path, [] as string[]]))
const speaksOfOthers = /^runbooks\/(?:bench|explain-log)\.ts$/
for (const path of runbooks)
  for (const each of reachedFrom(path))
    if (!speaksOfOthers.test(path) || /^(?:lib\/bench|runbooks)\//.test(each)) startedWith.get(each)?.push(path)

/** Flags of other programs that our sentences name, each looked up in the program's own help. */
const foreign: Readonly<Record<string, string>> = {
  'apt(?:-get)?': 'reinstall no-install-recommends',
  'ct2-transformers-converter': 'model quantization output_dir',
  'dfc/bin/pip|pip': 'no-deps dest quiet',
  deno: 'node-modules-dir install',
  docker: 'device gpus input runtime rm group-add profile wait stop force',
  git: 'porcelain cached name-status',
  'groupadd|useradd|usermod': 'system gid append groups',
  journalctl: 'no-pager',
  ldd: 'version',
  mokutil: 'sb-state import',
  nm: 'defined-only',
  node: 'version import',
  npm: 'omit',
  'nvidia-ctk': 'runtime',
  'nvidia-smi': 'query-gpu format',
  'pkg-config': 'modversion',
  polygraphy: 'fold-constants save-outputs tf32',
  'python3|venv': 'system-site-packages version',
  'sacct|sacctmgr': 'format',
  sbatch: 'time partition account',
  systemctl: 'failed',
  trtexec:
    'onnx saveEngine loadEngine verbose inputIOFormats outputIOFormats hardwareCompatibilityLevel memPoolSize ' +
    'builderOptimizationLevel minShapes optShapes maxShapes shapes useDLACore allowGPUFallback dynamicPlugins ' +
    'plugins fp16 noTF32 tf32 help',
  udevadm: 'reload',
  wsl: 'update shutdown',
}

const flag = /(?:^|[\s"'`=(:[…])--(?<name>[A-Za-z](?:[\w-]*\w)?)(?![\w-])/g
const isCss = (path: string) => path.endsWith('views/html-style.ts')
/** Text of another language that a file holds whole: a Dockerfile, a Python program, a page of Markdown. */
const isDocument = (text: string) => text.split('\n').length > 4
/** One flag and perhaps its value: an argument of a program that is started, and no sentence. */
const isArgument = (text: string) => /^--[\w-]*(?:…|=\S*)?$/.test(text)

interface Named extends StringAt {
  readonly path: string
  readonly name: string
  readonly before: string
}

const named: readonly Named[] = files
  .filter(path => !isCss(path))
  .flatMap(path =>
    stringsOf(path, textOf.get(path)!).flatMap(said =>
      [...said.text.matchAll(flag)].map(found => ({
        ...said,
        path,
        name: found.groups!.name!,
        before: said.text.slice(0, found.index),
      })),
    ),
  )
const sentences = named.filter(({ text }) => !isArgument(text) && !isDocument(text))

/** Whether another program that has the flag stands before it, or the sentence says that it is that program's. */
function isForeign({ before, text, name }: Named): boolean {
  return Object.entries(foreign).some(
    ([programs, flags]) =>
      flags.split(' ').includes(name) && new RegExp(`(?:^|[\\s"'\`(/.[])(?:${programs})\\b`).test(before || text),
  )
}

/** Whether the sentence is said of a runbook that it names, which another test holds against that runbook's flags. */
const namesRunbook = ({ before, runbook }: Named) => runbook !== undefined || /\brunbooks\/[\w-]+\.ts\b/.test(before)

const place = ({ path, line, text, name }: Named) => `${path}:${line} --${name} in "${text.slice(0, 100)}"`

test('every runbook that a string names is there', () => {
  const paths = files.flatMap(path =>
    stringsOf(path, textOf.get(path)!).flatMap(({ text }) =>
      [...text.matchAll(/\brunbooks\/[\w-]+\.ts\b/g)].map(String),
    ),
  )
  assert.ok(paths.length > 60, `${paths.length} paths`)
  for (const path of new Set(paths)) assert.ok(existsSync(join(root, path)), path)
})

test('every word that is given to a runbook is a flag of that runbook', () => {
  const given = named.filter(({ runbook, text }) => runbook !== undefined && isArgument(text))
  assert.ok(given.length > 25, `${given.length} words`)
  assert.deepEqual(given.filter(each => !has(each.runbook!, each.name)).map(place), [])
})

test('every flag behind the name of a runbook in a sentence is a flag of that runbook', () => {
  const behind = sentences.flatMap(each => {
    const runbook = [...each.before.matchAll(/\brunbooks\/[\w-]+\.ts\b/g)].at(-1)?.[0] ?? each.runbook
    return runbook === undefined || /[;|]|&&/.test(each.before.slice(each.before.lastIndexOf(runbook)))
      ? []
      : [{ ...each, runbook }]
  })
  assert.deepEqual(behind.filter(each => !has(each.runbook, each.name)).map(place), [])
})

test('every flag in a sentence is one of a runbook that can say it, or of the program that the sentence names', () => {
  assert.ok(sentences.length > 100, `${sentences.length} sentences`)
  const unknown = sentences.filter(
    each =>
      !isForeign(each) && !namesRunbook(each) && !startedWith.get(each.path)!.some(runbook => has(runbook, each.name)),
  )
  assert.deepEqual(unknown.map(place), [])
})

test('what a system says names flags that each of its runbooks has, or says whose they are', () => {
  const ofSystem = sentences.filter(({ path }) => /^(?:lib\/systems|runbooks)\//.test(path))
  assert.ok(ofSystem.length > 40, `${ofSystem.length} sentences`)
  const owners = (each: Named) => runbooks.filter(path => each.text.includes(path.slice(9, -3)))
  const misleading = ofSystem.filter(
    each =>
      !isForeign(each) &&
      !namesRunbook(each) &&
      !startedWith.get(each.path)!.every(runbook => has(runbook, each.name)) &&
      !owners(each).some(runbook => has(runbook, each.name)),
  )
  assert.deepEqual(
    misleading.map(each => `${place(each)}; not in ${startedWith.get(each.path)!.filter(r => !has(r, each.name))}`),
    [],
  )
})

test('a flag is made of a variable only where inputs are read, or where its name is one of two or three', () => {
  const computed = files.flatMap(path =>
    stringsOf(path, textOf.get(path)!)
      .filter(({ text }) => /\b(?:give|use|leave out|with|needs?|without|mean|swap|say)\b[^…]* --…/i.test(text))
      .map(() => path),
  )
  assert.deepEqual([...new Set(computed)].filter(path => !path.startsWith('lib/notebook/inputs/')).toSorted(), [
    'lib/ladder/select.ts', // from, until
    'lib/systems/monolithic/separation/model-facts.ts', // sample-rate, kernel, stride
    'lib/systems/monolithic/separation/model.ts', // input, output
    'lib/systems/whisper/pipeline.ts', // beam-size, best-of, temperature
  ])
})
