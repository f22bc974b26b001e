import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { pathToFileURL } from 'node:url'
import { filesIn } from '../lib/host/files.ts'
import { nextValuesOf } from '../lib/testing/syntax.ts'
import { runInProcess } from '../lib/testing/run-in-process.ts'
import type { Runbook } from '../lib/notebook/run/runbook.ts'

const root = join(import.meta.dirname, '..')
const documents = ['README.md', 'NEXT_AGENT.md', 'runbooks/README.md']
const read = (name: string) => readFileSync(join(root, name), 'utf8')
const runbooks = readdirSync(import.meta.dirname).filter(name => name.endsWith('.ts') && !name.endsWith('.test.ts'))
const sources = ['lib', 'runbooks']
  .flatMap(folder => filesIn(join(root, folder)).map(path => `${folder}/${path}`))
  .filter(path => /^(?!lib\/testing\/).*(?<!\.test)\.ts$/.test(path))
const open = async (name: string) =>
  ((await import(pathToFileURL(join(import.meta.dirname, name)).href)) as { default: Runbook }).default

/** Every line of a fenced shell block, without prompts, remarks and what follows a `#`. */
const commands = (text: string) =>
  [...text.matchAll(/```(?:sh|bash)\n([\s\S]*?)```/g)]
    .flatMap(match => match[1]!.split('\n'))
    .map(line => line.replace(/\s+#.*$/, '').trim())
    .filter(line => line !== '' && !line.startsWith('#'))

/** Variables and words of one `npx tsx runbooks/x.ts` call; null for any other command. */
function call(command: string) {
  const match = /^(?:sudo )?((?:[A-Z_]+=\S+ )*)npx tsx runbooks\/([\w-]+\.ts)(.*)$/.exec(
    command.split('&&').at(-1)!.trim(),
  )
  if (!match) return null
  const env = Object.fromEntries(
    match[1]!
      .trim()
      .split(' ')
      .filter(Boolean)
      .map(pair => pair.split('=') as [string, string]),
  )
  return { env, name: match[2]!, argv: match[3]!.trim().split(/\s+/).filter(Boolean) }
}

const dryRun = async (name: string, argv: readonly string[], env: Record<string, string>) =>
  runInProcess(await open(name), [...argv, '--dry-run'], { env })

test('each command in the documents is understood by its runbook', async () => {
  const found = documents
    .flatMap(name => commands(read(name)))
    .map(call)
    .filter(one => one !== null)
  assert.ok(found.length >= 8, `${found.length} commands`)
  for (const { name, argv, env } of found) {
    const { exit, stderr } = await dryRun(name, argv, env)
    // A file that is only an example is not there; anything else is a mistake in the document.
    assert.ok(
      exit === 0 || (exit === 3 && /there is no such (file|folder)/.test(stderr)),
      `${name} ${argv.join(' ')}: exit ${exit}\n${stderr}`,
    )
  }
})

test('the runbook of runbooks/README.md runs, passes, and leaves its evidence', async t => {
  const [, code] = /```ts\n(#![\s\S]*?)```/.exec(read('runbooks/README.md'))!
  const folder = mkdtempSync(join(tmpdir(), 'tour-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const lib = pathToFileURL(join(root, 'lib')).href
  const file = join(folder, 'disk-room.ts')
  writeFileSync(file, code!.replaceAll("'../lib/", `'${lib}/`))
  const { default: book } = (await import(pathToFileURL(file).href)) as { default: Runbook }
  let stdout = ''
  const quiet = { write: () => {} }
  const run = async (argv: string[]) =>
    await book.run({ argv, env: {}, cwd: folder, stdout: { write: text => void (stdout += text) }, stderr: quiet })
  assert.equal((await run(['--at-least', '0', '--out-dir', folder])).exit, 0)
  assert.match(stdout, /^PASS disk-room gates=1\/1 .*next="npx tsx runbooks\/monolithic-sweep\.ts"$/m)
  assert.equal((await run(['--at-least', '1000000000', '--out-dir', folder])).exit, 1)
  assert.ok(code!.trimEnd().split('\n').length <= 25)
})

test('other commands in the documents are npm scripts that exist', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const others = documents
    .flatMap(name => commands(read(name)))
    .flatMap(command => command.split('&&').map(part => part.trim()))
    .filter(part => part.startsWith('npm '))
  assert.ok(others.some(part => part === 'npm test'))
  for (const part of others) {
    const script = /^npm (?:run )?([\w:-]+)/.exec(part)![1]!
    assert.ok(script === 'ci' || scripts[script] !== undefined, part)
  }
})

test('runbooks/README.md lists each runbook with the question that it asks', async () => {
  const rows = [...read('runbooks/README.md').matchAll(/^\| `([\w-]+)` \| (.*) \|$/gm)].map(match => [
    match[1],
    match[2],
  ])
  const expected = await Promise.all(runbooks.map(async name => [name.slice(0, -3), (await open(name)).sheet.asks]))
  assert.deepEqual(rows.toSorted(), expected.toSorted())
})

test('each runbook says in --help what it asks, and does nothing in --dry-run', async () => {
  for (const name of runbooks) {
    const book = await open(name)
    assert.match(book.sheet.asks, /\?$/, name)
    assert.match(book.intro(), /npx tsx runbooks\//, name)
    for (const line of commands(`\`\`\`sh\n${book.intro()}\n\`\`\``).filter(line => line.includes('npx tsx')))
      assert.ok(call(line), `${name}: ${line}`)
  }
})

test('what a runbook says comes next is a command of the runtime at hand, and no prose', () => {
  const known =
    /^(?:[a-z][\w.!()-]*$|runbookCommand\(|commandWith\(|commandAt\(|again\(|judged\()|^[`'](?:scp|cmp|git|docker) /
  const texts = sources.flatMap(path => nextValuesOf(path, read(path)).map(value => [path, value] as const))
  assert.ok(texts.length > 40, `${texts.length} proposals`)
  assert.deepEqual(
    texts.filter(([, value]) => !known.test(value)),
    [],
  )
})

test('no program says npx tsx by itself: runbookCommand() knows the runtime', () => {
  // The card of the weights is a document, and what runs on a board is said for the board.
  const except = /^lib\/host\/typescript\.ts$|training\/card\.ts$/
  const said = sources
    .filter(path => !except.test(path))
    .flatMap(path =>
      read(path)
        .split('\n')
        .filter(line => /npx tsx /.test(line) && !/^\s*(\*|\/\/|\/\*)|^#!|Board: /.test(line))
        .map(line => `${path}: ${line.trim()}`),
    )
  assert.deepEqual(said, [])
})

test('links in the documents lead to something', () => {
  for (const name of [
    ...documents,
    'lib/README.md',
    'contracts/README.md',
    'contracts/DECISIONS.md',
    'contracts/recordings/README.md',
  ]) {
    for (const [, target] of read(name).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (!/^https?:/.test(target!)) assert.ok(existsSync(join(root, name, '..', target!)), `${name}: ${target}`)
    }
  }
})

test('the documents keep to their length', () => {
  for (const [name, most] of [
    ['README.md', 120],
    ['NEXT_AGENT.md', 80],
  ] as const)
    assert.ok(read(name).trimEnd().split('\n').length <= most, name)
})

test('runbooks keep to about a page', () => {
  for (const name of runbooks) assert.ok(read(`runbooks/${name}`).split('\n').length <= 145, name)
})
