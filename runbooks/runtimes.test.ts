import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test, { after } from 'node:test'
import type { Report } from '../lib/notebook/views/report.ts'
import { runtimes, type Tried } from '../lib/testing/runtimes.ts'

const root = join(import.meta.dirname, '..')
const scratch = mkdtempSync(join(tmpdir(), 'runtimes-'))
after(() => rmSync(scratch, { recursive: true, force: true }))
const [own, node22, node24, deno] = runtimes()
const names = readdirSync(import.meta.dirname)
  .filter(name => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  .map(name => name.slice(0, -'.ts'.length))

/** Words of a short real run; `@` is a folder of the runtime's own, with an empty folder and a log in it. */
const table: Readonly<Record<string, string>> = {
  'monolithic-sweep': '--out-dir @/sweep --run-ts one',
  'monolithic-infer':
    '--model @/sweep/one/mono_f128_bn64_hid128_skip64_b6_r1_t16000_k128_s64/' +
    'mono_f128_bn64_hid128_skip64_b6_r1_t16000_k128_s64.host_compiled.onnx',
  'monolithic-ramp': '--by truncate --n-blocks 1 --n-repeats 1 --search bisect',
  'monolithic-recordings': '--packages @/empty',
  'monolithic-train': '--python @/no-python --smoke',
  'edgeinfer-export': '--home @/home',
  'edgeinfer-parity': '--home @/home',
  'edgeinfer-compile': '--home @/home --calibration 20',
  'edgeinfer-load': '--home @/home --windows 20 --rate 20 --no-stress',
  'edgeinfer-select': '--home @/home --seeds 3 --strategy random',
  'edgeinfer-serve': '--home @/home --for 1 --port 0 --no-telemetry',
  'edgeinfer-deploy': '',
  'whisper-model': '--name tiny.en --from @/empty --models @/models',
  'whisper-export': '--models @/models',
  'whisper-compile': '--models @/models',
  'whisper-transcribe': '--models @/models contracts/recordings/s1',
  'whisper-serve': '--models @/models --port 0 --for 1',
  'whisper-install': '--check-only --root @/empty',
  'whisper-verify': '--url http://127.0.0.1:9',
  'parakeet-contract': '',
  'parakeet-inventory': '--tree lib/base',
  'parakeet-reorganize': '--tree @/empty',
  'parakeet-export': '',
  'parakeet-parity': '',
  'parakeet-engines': '--trtexec @/no-trtexec',
  'parakeet-transcribe': '',
  'parakeet-bench': '--evaluations 200',
  'explain-log': '@/allocator.log',
  doctor: '',
  book: '',
  // It measures for minutes: what it would measure is said.
  bench: '--dry-run',
}

/** They judge times. */
const timed = new Set(['edgeinfer-load', 'parakeet-bench', 'edgeinfer-select'])

interface Answer {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

function run({ command }: Tried, name: string, words: readonly string[]): Answer {
  const [program, ...flags] = [...command!, join(root, `runbooks/${name}.ts`), ...words]
  const env = { ...process.env, RUNGBOOK_TEST_CPU: undefined, NODE_OPTIONS: undefined }
  return spawnSync(program!, flags, { cwd: root, encoding: 'utf8', input: '', env, timeout: 300_000 })
}

/** Verdict, gates and evidence of a run: all but what is measured and what names places. */
function story(tried: Tried, name: string): object {
  const folder = join(scratch, tried.name.replaceAll(' ', '-'))
  mkdirSync(join(folder, 'empty'), { recursive: true })
  writeFileSync(join(folder, 'allocator.log'), '[error] Mapping Failed (Timeout of 600 seconds)\n')
  const words = table[name]!.split(' ')
    .filter(Boolean)
    .map(word => word.replace('@', folder))
  const runs = words.includes('--out-dir') ? [] : ['--out-dir', join(folder, 'runs'), '--run-ts', name]
  const { status, stdout, stderr } = run(tried, name, [...words, ...runs])
  const verdict = stdout.trimEnd().split('\n').at(-1) ?? ''
  const head = /^[A-Z-]+ [\w-]+ gates=\d+\/\d+/.exec(verdict)?.[0]
  assert.ok(head, `${name} under ${tried.name}: exit ${status}, ${stdout.slice(-500)}${stderr.slice(-1500)}`)
  const next = /next="((?:[^"\\]|\\.)*)"/.exec(verdict)?.[1]
  if (next?.includes('runbooks/')) assert.ok(next.startsWith(tried.starter), `${name} under ${tried.name}: ${next}`)
  const report = reportOf(join(folder, 'runs', name)) ?? reportOf(join(folder, 'sweep/one'), name)
  const artifacts = report?.artifacts.map(({ path }) => path.replace(/^commands\/.*/, 'commands')) ?? []
  const isTimed = timed.has(name)
  const gates = report?.gates.map(({ name: gate, status: how }) => (isTimed ? gate : `${how} ${gate}`)) ?? []
  // A busy machine fails a bound on time under any runtime.
  if (isTimed) return { isJudged: status === 0 || status === 1, gates, artifacts }
  return { status, head, gates, artifacts, cells: report?.cells.map(({ title }) => title.replaceAll(folder, '@')) }
}

function reportOf(folder: string, name?: string): Report | null {
  try {
    const report = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')) as Report
    return name === undefined || report.runbook === name ? report : null
  } catch {
    return null
  }
}

/** The files that a runbook loads at once, with those that they load at once. */
function loadedAtOnce(path: string, seen = new Set<string>()): Set<string> {
  if (seen.has(path)) return seen
  seen.add(path)
  const imports = readFileSync(path, 'utf8').matchAll(/^(?:import|export)\s(?!type\b)[^'"]*?from\s+'(\.[^']+)'/gms)
  for (const [, to] of imports) loadedAtOnce(join(dirname(path), to!), seen)
  return seen
}

test('what a runbook loads at once has no using, which Node 22 does not know', () => {
  const seen = new Set<string>()
  for (const name of names) loadedAtOnce(join(import.meta.dirname, `${name}.ts`), seen)
  assert.ok(seen.size > 60, `${seen.size} files`)
  // Neither a comment nor a text.
  const using = /^(?! \*)[^'"`\n]*\busing \w+ =/m
  assert.deepEqual(
    [...seen].filter(path => using.test(readFileSync(path, 'utf8'))),
    [],
  )
})

test('the table of runs holds every runbook', () => {
  assert.deepEqual(Object.keys(table).toSorted(), names.toSorted())
})

const stories = new Map<string, object>()
const expected = (name: string) => {
  if (!stories.has(name)) stories.set(name, story(own!, name))
  return stories.get(name)
}

const skipOf = (tried: Tried) => (tried.command === null ? `tool: RUNGBOOK_RUNTIMES has no ${tried.name}` : false)
function compare(tried: Tried): void {
  for (const name of Object.keys(table)) assert.deepEqual(story(tried, name), expected(name), name)
}

test('every runbook ends under Node 22 without a loader as it does here', { skip: skipOf(node22!) }, () => {
  compare(node22!)
})

test('every runbook ends under Node 24 without a loader as it does here', { skip: skipOf(node24!) }, () => {
  compare(node24!)
})

test('every runbook ends under Deno as it does here', { skip: skipOf(deno!) }, () => {
  compare(deno!)
})
