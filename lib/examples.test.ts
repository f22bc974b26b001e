import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test from 'node:test'
import { pathToFileURL } from 'node:url'
import { projectRoot } from './base/version.ts'
import { typescriptCommand } from './host/typescript.ts'
import { examplesOf, exportsOf } from './testing/syntax.ts'

const files = ['lib', 'ffi'].flatMap(folder =>
  readdirSync(join(projectRoot, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map(name => join(folder, name)),
)
const examples = files.flatMap(path =>
  examplesOf(readFileSync(join(projectRoot, path), 'utf8')).map(example => ({
    path,
    at: `${path}:${example.line}`,
    ...example,
  })),
)

/** The address of what an example imports: a path from the root or from its own file, or a package. */
function addressOf(specifier: string, path: string): string {
  if (!specifier.startsWith('.')) return specifier.startsWith('node:') ? specifier : import.meta.resolve(specifier)
  const [fromRoot, fromFile] = [join(projectRoot, specifier), join(projectRoot, dirname(path), specifier)]
  return pathToFileURL(existsSync(fromRoot) ? fromRoot : fromFile).href
}

/** An example as a module that can stand anywhere. What it uses of its own file need not be imported, nor `assert`. */
function moduleOf({ path, code }: { path: string; code: string }): string {
  const text = readFileSync(join(projectRoot, path), 'utf8')
  const uses = (name: string) => new RegExp(`\\b${name}\\b`).test(code)
  const imported = [...code.matchAll(/^import (?:type )?(.*?) from/gms)].map(match => match[1]!).join()
  const own = exportsOf(path, text).flatMap(({ name }) =>
    uses(name) && !new RegExp(`\\b${name}\\b`).test(imported) ? [name] : [],
  )
  const head = [
    ...(own.length === 0 ? [] : [`import { ${own.join(', ')} } from '${pathToFileURL(join(projectRoot, path)).href}'`]),
    ...(uses('assert') && !/\bassert\b/.test(imported) ? ["import assert from 'node:assert/strict'"] : []),
  ]
  const body = code.replaceAll(/(from |import\()'([^']+)'/g, (_, words: string, specifier: string) => {
    return `${words}'${addressOf(specifier, path)}'`
  })
  return [...head, body].join('\n')
}

test('every @example runs as it stands, each in a module of its own', () => {
  assert.ok(examples.length >= 6)
  const folder = mkdtempSync(join(tmpdir(), 'rungbook-examples-'))
  try {
    const names = examples.map((example, n) => {
      writeFileSync(join(folder, `example-${n}.ts`), moduleOf(example))
      return `example-${n}.ts`
    })
    const main = names.map((name, n) => {
      const failed = `console.log(${JSON.stringify(`${examples[n]!.at}: `)} + (error?.stack ?? error))`
      return `try { await import('./${name}') } catch (error) { ${failed}; process.exitCode = 1 }`
    })
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    writeFileSync(join(folder, 'main.ts'), `${main.join('\n')}\n`)
    const [program, ...words] = typescriptCommand(join(folder, 'main.ts'))
    const { status, stdout, stderr } = spawnSync(program!, words, { encoding: 'utf8', cwd: projectRoot })
    assert.equal(status, 0, stdout + stderr)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('no @example stands without a ts block that can be run', () => {
  const marked = files.filter(path => {
    const text = readFileSync(join(projectRoot, path), 'utf8')
    const ignored = [...text.matchAll(/^\s*\* ```ts ignore$/gm)].length
    return [...text.matchAll(/^\s*\* @example/gm)].length !== examplesOf(text).length + ignored
  })
  assert.deepEqual(marked, [])
})

test('every room and every graph that is authored has an example that runs', () => {
  const inside = (folder: string, depth: number) =>
    readdirSync(join(projectRoot, folder), { withFileTypes: true }).flatMap((entry): string[] =>
      !entry.isDirectory()
        ? []
        : depth === 0
          ? [join(folder, entry.name)]
          : inside(join(folder, entry.name), depth - 1),
    )
  const rooms = [...inside('lib', 0), 'ffi', ...inside('lib/models', 0), ...inside('lib/systems', 0)]
  const measuresOnly = new Set(['lib/bench', 'lib/testing'])
  assert.deepEqual(
    rooms.filter(room => !measuresOnly.has(room) && !examples.some(({ path }) => path.startsWith(`${room}/`))),
    [],
  )
})
