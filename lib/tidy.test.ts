import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import test from 'node:test'
import { checkContract, contractNames } from './contract/contract.ts'
import { unusedExports } from './testing/modules/unused.ts'
import { clockComparisonsOf, exportsOf, functionsOf, messageReadersOf } from './testing/syntax.ts'

const root = join(import.meta.dirname, '..')
const topLevel = new Set([
  '.ci',
  '.git',
  '.gitignore',
  '.npmrc',
  '.oxfmtrc.json',
  '.oxlintrc.json',
  'LICENSE',
  'NEXT_AGENT.md',
  'README.md',
  'contracts',
  'ffi',
  'lib',
  'module_runs',
  'node_modules',
  'package-lock.json',
  'package.json',
  'runbooks',
  'tsconfig.json',
])
const heavy = [
  'fft.js',
  'fflate',
  'koffi',
  'mathjs',
  'onnxruntime-node',
  'playwright-core',
  'vega',
  'vega-lite',
  'wavefile',
  'zx',
]
/** The one file of JavaScript (D-333): it loads tsx where TypeScript is not read without. */
const program = 'lib/notebook/bin/rungbook.mjs'
const linesMax = 300
const functionLinesMax = 70
const columnsMax = 120

const listed = () => {
  try {
    return execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
      cwd: root,
      encoding: 'utf8',
    })
      .split('\n')
      .filter(Boolean)
  } catch {
    return readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
      path => !/^(node_modules|module_runs|\.git)\//.test(path) && statSync(join(root, path)).isFile(),
    )
  }
}
const files = listed().filter(path => existsSync(join(root, path)))
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const sources = files.filter(path => path.endsWith('.ts'))
const code = sources.filter(path => !path.endsWith('.test.ts'))
const imports = (path: string) =>
  [...read(path).matchAll(/^(?:import|export)\s[^'"]*?from\s+'([^']+)'|^import\s+'([^']+)'/gms)].map(match => ({
    to: match[1] ?? match[2]!,
    isType: /^(import|export) type\b/.test(match[0]),
  }))
const none = (problems: readonly string[]) => assert.deepEqual(problems, [])

test('the top level holds what it is known to hold', () => {
  none(readdirSync(root).filter(name => !topLevel.has(name)))
})

/** Every room and its floor: a room imports its own floor's lower entries and all floors below it, types included. */
const floors: readonly (readonly string[])[] = [
  ['lib/base'],
  ['lib/host'],
  ['lib/contract'],
  ['ffi'],
  ['lib/formats'],
  ['lib/notebook'],
  ['lib/signal', 'lib/onnx'],
  ['lib/models'],
  ['lib/failure'],
  ['lib/infer'],
  ['lib/compile'],
  ['lib/ladder', 'lib/parity', 'lib/speech', 'lib/serve', 'lib/deploy'],
  ['lib/doctor'],
  ['lib/systems/monolithic', 'lib/systems/edgeinfer', 'lib/systems/whisper', 'lib/systems/parakeet'],
  ['lib/bench'],
  ['runbooks'],
]

/** The room that a path lies in, or undefined for a file that no room of the table holds. */
const roomOf = (path: string) => floors.flat().find(room => path.startsWith(`${room}/`))
const floorOf = (room: string) => floors.findIndex(rooms => rooms.includes(room))
const isProduction = (path: string) => !/\.test\.ts$|^(lib|ffi)\/testing\//.test(path)
const targets = (path: string) =>
  imports(path)
    .filter(({ to }) => to.startsWith('.'))
    .map(({ to }) => relative(root, join(root, dirname(path), to)))

test('lib/README.md has a line for every room of the table', () => {
  const named = [...read('lib/README.md').matchAll(/^\| `(?:\.\.\/)?([\w-]+)` \|/gm)].map(match => match[1]!)
  const rooms = [...new Set(floors.flat().map(room => room.split('/').slice(0, 2).join('/')))]
    .map(room => room.replace(/^lib\//, ''))
    .filter(room => room !== 'runbooks')
  none(rooms.filter(room => !named.includes(room)))
  none(named.filter(room => !rooms.includes(room) && room !== 'testing'))
})

test('every file of the program lies in a room of the table', () => {
  none(sources.filter(path => isProduction(path) && roomOf(path) === undefined))
})

test('imports point down the floors, types included, and rooms of one floor do not import each other', () => {
  none(
    sources.filter(isProduction).flatMap(path =>
      targets(path)
        .filter(to => {
          const [from, room] = [roomOf(path)!, roomOf(to)]
          return room !== undefined && room !== from && floorOf(room) >= floorOf(from)
        })
        .map(to => `${path} imports ${to}`),
    ),
  )
})

test('production code imports nothing of lib/testing or ffi/testing', () => {
  none(
    sources
      .filter(path => isProduction(path) && roomOf(path) !== 'lib/bench')
      .flatMap(path =>
        targets(path)
          .filter(to => /^(lib|ffi)\/testing\//.test(to))
          .map(to => `${path} imports ${to}`),
      ),
  )
})

test('no room below the systems names a system or a runbook, but for the doctor of every machine', () => {
  const verbs = 'sweep infer ramp serve export model parity compile load select deploy install verify transcribe train'
  const runbook = `(monolithic|edgeinfer|whisper|parakeet)-(${verbs.replaceAll(' ', '|')})`
  const named = new RegExp(`runbooks/(?!doctor\\.ts)[\\w-]+\\.ts|systems/\\w+|\\b${runbook}\\b`)
  const below = sources.filter(path => isProduction(path) && floorOf(roomOf(path)!) < floorOf('lib/systems/whisper'))
  none(
    below.flatMap(path =>
      read(path)
        .split('\n')
        .flatMap((line, i) => (!/^\s*(\*|\/\/|\/\*)/.test(line) && named.test(line) ? [`${path}:${i + 1}`] : [])),
    ),
  )
})

test('no files import each other in a circle', () => {
  const graph = new Map(sources.map(path => [path, targets(path)]))
  const done = new Set<string>()
  const circles: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path)
    if (at >= 0) return void circles.push([...trail.slice(at), path].join(' -> '))
    if (done.has(path)) return
    for (const to of graph.get(path) ?? []) visit(to, [...trail, path])
    done.add(path)
  }
  for (const path of sources) visit(path, [])
  none(circles)
})

test('at most 12 files lie flat in one folder', () => {
  const counts = new Map<string, number>()
  for (const path of code) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1)
  // Runbooks are flat: the folder is the list of what a person may run.
  none(
    [...counts]
      .filter(([folder, count]) => count > 12 && folder !== 'runbooks')
      .map(([folder, count]) => `${folder} holds ${count}`),
  )
})

test('ffi is imported only where silicon is reached', () => {
  const rooms = /^(ffi|lib\/(infer|bench|compile|doctor|testing))\//
  const pages = /^(runbooks\/(doctor|bench)|lib\/notebook\/run\/process\/supervise)\.ts$/
  const allowed = { test: (path: string) => rooms.test(path) || pages.test(path) }
  none(code.filter(path => !allowed.test(path) && imports(path).some(({ to }) => to.includes('/ffi/'))))
})

test('heavy packages load inside the function that needs them', () => {
  none(
    code.flatMap(path =>
      imports(path)
        .filter(({ to, isType }) => !isType && heavy.some(name => to === name || to.startsWith(`${name}/`)))
        .map(({ to }) => `${path} imports ${to}`),
    ),
  )
})

test('onnxruntime-node is loaded in one place, which switches its telemetry off', () => {
  none(
    sources.filter(
      path =>
        !/lib\/host\/onnxruntime-node(\.test)?\.ts$|lib\/tidy/.test(path) &&
        read(path).includes("import('onnxruntime-node')"),
    ),
  )
})

test('there is no shell file, no build output and no file over 1 MB', () => {
  none(
    files.filter(
      path =>
        (/\.(sh|bash|js|cjs|mjs|tsbuildinfo)$/.test(path) && path !== program) ||
        statSync(join(root, path)).size > 1_000_000,
    ),
  )
})

test('each dependency is used by a file, and each package that a file imports is a dependency', () => {
  const pkg = JSON.parse(read('package.json')) as Record<'dependencies' | 'devDependencies', Record<string, string>>
  const known = Object.keys({ ...pkg.dependencies, ...pkg.devDependencies })
  const text = sources.map(read).join('\n')
  const before = [
    /^(?:import|export)\b[^'";=()]*?\bfrom /,
    /^import /,
    /\bimport\(/,
    /\brequire(?:\.resolve)?\(/,
    /import\.meta\.url\)\(/,
    /import\.meta\.resolve\(/,
  ].map(({ source }) => source)
  const literal = new RegExp(`(?:${before.join('|')})'([a-z@][\\w@/.:-]*)'`, 'gm')
  const named = new Set(
    [...text.matchAll(literal)].map(match =>
      match[1]!
        .split('/')
        .slice(0, match[1]!.startsWith('@') ? 2 : 1)
        .join('/'),
    ),
  )
  // These are used by their command, by the compiler, or by the loader.
  const byName = new Set(['tsx', 'typescript', 'oxfmt', 'oxlint', '@types/node', '@types/papaparse', 'koffi', 'mathjs'])
  none(known.filter(name => !named.has(name) && !byName.has(name)).map(name => `${name} is not used`))
  none(
    [...named]
      .filter(name => !name.startsWith('node:') && !known.includes(name))
      .map(name => `${name} is not a dependency`),
  )
})

test('a file of lib and ffi opens with what it does, a runbook with its question', () => {
  const opening = (path: string) =>
    /^(?:#!.*\n)?\/\*\*([\s\S]*?)(?:\n \*\s*\n|\*\/)/.exec(read(path))?.[1]?.trim() ?? ''
  none(code.filter(path => opening(path) === ''))
  none(code.filter(path => isProduction(path) && /^(lib|ffi)\//.test(path) && /^[^.]*\?/.test(opening(path))))
})

test('a comment names errors by @throws, with their class, and files that exist', () => {
  const comments = (path: string) => [...read(path).matchAll(/^[ \t]*(?:\/\*\*|\*|\/\/).*$/gm)].map(([line]) => line)
  const exists = (path: string, named: string) =>
    existsSync(join(root, named)) || existsSync(join(root, dirname(path), named))
  none(
    code.filter(isProduction).flatMap(path =>
      comments(path)
        .filter(
          line =>
            /\bErrors: |@throws (usage|blocked|fail|interrupted)\b/.test(line) ||
            [...line.matchAll(/`([\w./-]+\.ts)`/g)].some(([, named]) => !exists(path, named!)),
        )
        .map(line => `${path}: ${line.trim()}`),
    ),
  )
})

/** Files that read what a library of somebody else says, and which. */
const vendorsWords = new Map([
  ['ffi/onnxruntime/canary.ts', "ONNX Runtime's answer to a call that must fail"],
  ['lib/base/system-error.ts', "V8's words for memory that ran out"],
])

test('no production file asks what a message or a hint of ours says', () => {
  none(
    code
      .filter(path => isProduction(path) && !vendorsWords.has(path))
      .flatMap(path => messageReadersOf(path, read(path)).map(line => `${path}:${line}`)),
  )
  none([...vendorsWords.keys()].filter(path => messageReadersOf(path, read(path)).length === 0))
})

test('a file, a function and a line keep to their length', () => {
  none(
    sources.flatMap(path => {
      const text = read(path)
      const lines = text.split('\n')
      const wide = lines.flatMap((line, i) => (line.length > columnsMax ? [i + 1] : []))
      const functions = path.endsWith('.test.ts') ? [] : functionsOf(path, text)
      const long = functions.filter(({ lines }) => lines > functionLinesMax)
      return [
        ...(lines.length > linesMax + 1 && !path.endsWith('.test.ts')
          ? [`${path} is long (${lines.length} lines)`]
          : []),
        ...(wide.length > 0 ? [`${path} is wide (lines ${wide.join(', ')})`] : []),
        ...(long.length > 0 ? [`${path} has a long function (line ${long.map(({ line }) => line).join(', ')})`] : []),
      ]
    }),
  )
})

test('every export of lib and ffi is documented', () => {
  none(
    code
      .filter(path => /^(lib|ffi)\//.test(path))
      .flatMap(path => {
        const bare = exportsOf(path, read(path)).filter(({ isDocumented }) => !isDocumented)
        return bare.length === 0
          ? []
          : [`${path} exports without a docstring (${bare.map(({ name }) => name).join(', ')})`]
      }),
  )
})

test('an export that only tests use is none', () => {
  const production = new Map([...code.filter(isProduction), program].map(path => [path, read(path)]))
  none(unusedExports(production).map(({ path, name }) => `${path} exports ${name}, which only tests use`))
})

test('tests sit beside the code they test', () => {
  const alone = new Set([
    'lib/systems/edgeinfer/sidecar/bad-input.test.ts',
    'lib/systems/whisper/documents.test.ts',
    'lib/tidy.test.ts',
    'lib/examples.test.ts',
    'runbooks/docs.test.ts',
    'runbooks/plan-000.test.ts',
    'runbooks/plan-001.test.ts',
    'runbooks/plan-002.test.ts',
    'runbooks/plan-003.test.ts',
    'runbooks/plan-004.test.ts',
    'runbooks/plan-004-inputs.test.ts',
    'runbooks/hints.test.ts',
    'runbooks/knobs.test.ts',
    'runbooks/runtimes.test.ts',
    'runbooks/tensorrt-engines.test.ts',
    'lib/models/convtasnet/rewrites.test.ts',
    'lib/models/convtasnet/properties.test.ts',
    'lib/onnx/quantize-accuracy.test.ts',
    'lib/systems/monolithic/separation/memory.test.ts',
    'lib/infer/backends.test.ts',
    'ffi/hailort/any-library.test.ts',
    'lib/systems/parakeet/original-defects.test.ts',
    'lib/systems/parakeet/original-ladder.test.ts',
  ])
  none(
    sources.filter(
      path => path.endsWith('.test.ts') && !alone.has(path) && !existsSync(join(root, path.replace('.test.ts', '.ts'))),
    ),
  )
})

test('tests are declared at the left edge, none is focused, and none is skipped without a reason', () => {
  none(
    sources
      .filter(path => path.endsWith('.test.ts'))
      .flatMap(path =>
        read(path)
          .split('\n')
          .map((line, i) => ({ line, at: `${path}:${i + 1}` }))
          .filter(
            ({ line, at }) =>
              !at.startsWith('lib/tidy') &&
              /^\s+(test|it)\(|\b(test|it|describe)\.(only|todo|skip)\(|skip: true/.test(line) &&
              !/^\s+(const|await) .*test\(/.test(line),
          ),
      )
      .map(({ at }) => at),
  )
})

test('no test compares how long something took', () => {
  // Times are measured by runbooks/bench.ts; a test that waits for something uses lib/testing/until.ts.
  none(
    sources
      .filter(path => path.endsWith('.test.ts'))
      .flatMap(path => clockComparisonsOf(path, read(path)).map(line => `${path}:${line}`)),
  )
})

test('CONTRACT, SOURCE and WHY come together, and SOURCE resolves', () => {
  const decisions = read('contracts/DECISIONS.md')
  none(
    code.flatMap(path => {
      const lines = read(path).split('\n')
      return lines.flatMap((line, i) => {
        const tag = /^\s*\/\/ (CONTRACT|SOURCE|WHY|TODO): (.*)/.exec(line)
        if (!tag) return []
        const near = lines.slice(Math.max(0, i - 4), i + 5).join('\n')
        const missing = ['CONTRACT', 'SOURCE', 'WHY'].filter(name => !near.includes(`// ${name}: `))
        if (missing.length > 0) return [`${path}:${i + 1} lacks ${missing.join(', ')}`]
        return tag[1] === 'SOURCE' && !resolves(tag[2]!, decisions) ? [`${path}:${i + 1} cites "${tag[2]}"`] : []
      })
    }),
  )
})

function resolves(source: string, decisions: string): boolean {
  const decision = /^decision (D-\d+)$/.exec(source)
  if (decision) return decisions.includes(`## ${decision[1]} `)
  return existsSync(join(root, source.split('#')[0]!)) || /^paper: \S/.test(source)
}

test('decisions have four lines each and a number of their own', () => {
  const blocks = read('contracts/DECISIONS.md').split(/^## /m).slice(1)
  const numbers = blocks.map(block => /^D-(\d+) \S/.exec(block)?.[1])
  assert.equal(new Set(numbers).size, blocks.length, 'a number is there twice')
  none(
    blocks.flatMap((block, i) => {
      const [head, ...rest] = block.trimEnd().split('\n')
      const labels = rest.filter(line => line !== '').map(line => /^- (\w+): \S/.exec(line)?.[1])
      const fits = numbers[i] !== undefined && labels.join() === 'Decision,Alternatives,Evidence,Validation'
      return fits ? [] : [head!]
    }),
  )
})

test('every test file and runbook that a decision names is there', () => {
  const named = [
    ...read('contracts/DECISIONS.md').matchAll(/`((?:lib|runbooks|contracts)\/[\w./-]+\.(?:ts|json|md))`/g),
  ].map(match => match[1]!)
  assert.ok(named.length > 20)
  none([...new Set(named)].filter(path => !existsSync(join(root, path))))
})

test('contracts hold: sources, required values, derived values, decisions', async () => {
  assert.ok(contractNames().length > 0)
  for (const name of contractNames()) none(await checkContract(name))
})

test('nothing speaks of this machine or of how it is made', () => {
  const words = new RegExp(
    [
      String.raw`/wor` + 'k/',
      String.raw`/roo` + 't/',
      'registry\\.npm' + 'js',
      'pypi\\.' + 'org',
      'deb\\.' + 'debian\\.org',
      'TO' + 'DO',
      'FIX' + 'ME',
      '@ts-' + '(ignore|expect-error)',
      '\\bas an' + 'y\\b(?! [a-z])',
    ].join('|'),
  )
  none(
    files
      .filter(path => /\.(ts|md|json|txt)$/.test(path) && path !== 'package-lock.json' && path !== 'lib/tidy.test.ts')
      .flatMap(path =>
        read(path)
          .split('\n')
          .flatMap((line, i) => (words.test(line) ? [`${path}:${i + 1}: ${line.trim().slice(0, 100)}`] : [])),
      ),
  )
})

test('the lock file names no host', () => {
  assert.doesNotMatch(read('package-lock.json'), /"resolved": "https?:/)
})
