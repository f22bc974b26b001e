import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { absent, fakeMachine, found, type FakeMachine } from '../lib/testing/machine/fake-machine.ts'
import type { Fact } from '../lib/doctor/fact.ts'
import type { Inputs } from '../lib/notebook/inputs/inputs.ts'
import type { Report } from '../lib/notebook/views/report.ts'
import type { Runbook } from '../lib/notebook/run/runbook.ts'
import { needsTool } from '../lib/testing/needs.ts'
import { shellWords } from '../lib/testing/shell-words.ts'
import { runInProcess } from '../lib/testing/run-in-process.ts'
import doctor, { doctorOf, questions } from './doctor.ts'

const run = (o: FakeMachine = {}, argv: readonly string[] = []) =>
  runInProcess(
    doctorOf(() => fakeMachine(o)),
    ['--all', ...argv],
  )
const board = {
  '/sys/bus/pci/devices/0001:01:00.0/vendor': '0x1e60',
  '/sys/bus/pci/devices/0001:01:00.0/device': '0x2864',
  '/sys/bus/pci/devices/0001:01:00.0/class': '0x120000',
  '/sys/class/hailo_chardev/hailo0/board_location': '0001:01:00.0',
  '/dev/hailo0': 0o666,
  '/sys/module/hailo_pci/version': '4.23.0',
}
const hailort = (devices = [{ id: '0001:01:00.0', architecture: 'HAILO8L', firmware: '4.23.0' }]) => ({
  hailort: found({ version: '4.23.0', path: '/usr/lib/libhailort.so', devices }),
})

test('doctor passes on a bare laptop, and says what would install the rest', async () => {
  const { exit, lines, verdict, stdout } = await run()
  assert.equal(exit, 0, stdout)
  assert.match(
    verdict,
    /^PASS doctor gates=8\/8 ok=\d+ missing=\d+ broken=0 run=\S+ next="npx tsx runbooks\/monolithic-sweep\.ts"$/,
  )
  assert.ok(lines.some(line => /^ok {7}node {5,}v20\.20\.2/.test(line)))
  assert.ok(lines.some(line => /^missing {2}HailoRT .*; install: /.test(line)))
  assert.ok(lines.includes('yes  author, quantise and run on this CPU: npx tsx runbooks/monolithic-sweep.ts'))
  assert.ok(lines.some(line => /^no {3}run HEFs on a Hailo device: .*Hailo board missing/.test(line)))
})

test('doctor tells only what stands against the question unless all is asked for', async () => {
  const told = async (...argv: string[]) =>
    (
      await runInProcess(
        doctorOf(() => fakeMachine({ machine: { node: 'v18.20.4' } })),
        argv,
      )
    ).lines.slice(0, -1)
  const [broken, ...rest] = await told()
  assert.match(broken!, /^broken {3}node /)
  assert.deepEqual(
    rest.map(line => line.split(' ')[0]),
    ['no', 'no', 'no', 'no', rest.at(-1)!.split(' ')[0]!],
  )
  assert.match(rest.at(-1)!, /^\d+ more looks are in the report, or with --all$/)
  const forHailo = await told('--need', 'hailo')
  assert.ok(forHailo.some(line => /^missing {2}HailoRT /.test(line)))
  assert.equal(
    forHailo.some(line => /^missing {2}trtexec/.test(line)),
    false,
  )
})

test('doctor has all of its lines in columns', async () => {
  const { lines } = await run()
  const facts = lines.filter(line => /^(ok|missing|broken) /.test(line))
  const names = ['node', 'python nbformat', 'Dataflow Compiler', 'systemd']
  const columns = names.map(name => /^\w+ +/.exec(facts.find(line => line.split(/ {2,}/)[1] === name)!)![0].length)
  assert.deepEqual(columns, [9, 9, 9, 9])
  const states = facts.map(line => line[9 + 'Dataflow Compiler'.length]! + line[10 + 'Dataflow Compiler'.length]!)
  assert.deepEqual(new Set(states), new Set(['  ']))
})

test('doctor is blocked by a missing device only where one is asked for', async () => {
  const { exit, verdict, report } = await run({}, ['--need', 'hailo'])
  assert.equal(exit, 3)
  assert.match(verdict, /^BLOCKED doctor gates=8\/11 .* hint="/)
  const blocked = report.gates.filter(({ status }) => status === 'blocked')
  assert.deepEqual(
    blocked.map(({ name }) => name),
    ['HailoRT', 'Hailo board', 'Hailo driver'],
  )
  assert.equal((await run({}, ['--need', 'nvidia'])).exit, 3)
  assert.equal((await run({}, ['--need', 'dfc'])).exit, 3)
})

test('doctor fails on a broken device only where one is asked for, and next is its fix', async () => {
  const machine = { files: { ...board, '/sys/module/hailo_pci/version': '4.20.0' }, probed: hailort() }
  assert.equal((await run(machine)).exit, 0)
  const { exit, verdict } = await run(machine, ['--need', 'hailo'])
  assert.equal(exit, 1)
  assert.match(verdict, /^FAIL doctor .* broken=1 .* hint="install one version of both/)
})

test('doctor passes on a board that is asked for and whole, and next is what runs on it', async () => {
  const { exit, verdict } = await run({ files: board, probed: hailort() }, ['--need', 'hailo'])
  assert.equal(exit, 0)
  assert.match(
    verdict,
    /gates=13\/13 .* next="npx tsx runbooks\/monolithic-infer\.ts --backend hailort --model winner\.hef"$/,
  )
})

test('doctor proposes the HEF that a sweep compiled here', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'doctor-'))
  mkdirSync(join(cwd, 'module_runs/20260223_052929/tag'), { recursive: true })
  writeFileSync(join(cwd, 'module_runs/20260223_052929/report.json'), '{"runbook":"monolithic-sweep"}')
  writeFileSync(join(cwd, 'module_runs/20260223_052929/tag/model.hef'), '')
  const machine = doctorOf(() => fakeMachine({ files: board, probed: hailort() }))
  const { verdict } = await runInProcess(machine, ['--need', 'hailo'], { cwd })
  assert.match(
    verdict,
    /next="npx tsx runbooks\/\S+infer\.ts --backend hailort --model module_runs\/20260223_052929\/tag\/model\.hef"$/,
  )
})

test('doctor prints only commands that start: none of them is a usage error', async () => {
  for (const { command } of await questions(null)) {
    const [npx, tsx, file, ...argv] = shellWords(command)
    assert.deepEqual([npx, tsx], ['npx', 'tsx'])
    const { default: book } = (await import(join(import.meta.dirname, '..', file!))) as { default: Runbook<Inputs> }
    assert.equal((await runInProcess(book, [...argv, '--dry-run'])).exit, 0, command)
    // Without the file that `winner.hef` stands for, it is the file that is absent.
    if (file!.endsWith('infer.ts')) assert.equal((await runInProcess(book, argv)).exit, 3, command)
  }
})

test(
  'doctor fails on a header that contradicts the ABI table, only where that device is asked for',
  { skip: needsTool('gcc') },
  async () => {
    const gcc = { gcc: '-> /usr/bin/gcc', 'g++': '-> /usr/bin/g++' }
    const torn = {
      files: { ...board, '/usr/include/hailo/hailort.h': 'typedef struct { char odd[3]; } hailo_version_t;\n' },
      probed: hailort(),
      programs: gcc,
      env: { PATH: process.env.PATH! },
    }
    assert.equal((await run(torn)).exit, 0)
    const { exit, verdict, report } = await run(torn, ['--need', 'hailo'])
    assert.equal(exit, 1, verdict)
    assert.deepEqual(
      report.gates.filter(({ status }) => status === 'fail').map(({ name }) => name),
      ['HailoRT header'],
    )
    assert.match(
      verdict,
      /hint="install header and library of one version; if they are, the table is wrong: .* do not use the device"$/,
    )
    assert.equal((await run(torn, ['--need', 'nvidia'])).exit, 3, 'it is no matter of another device')
  },
)

test('doctor is blocked on a Hailo-10H that has no compiler, and next is the line that installs it', async () => {
  const ten = {
    files: {
      ...board,
      '/sys/bus/pci/devices/0001:01:00.0/device': '0x45c4',
      '/sys/module/hailo_pci/version': null,
      '/sys/module/hailo1x_pci/version': '5.2.0',
    },
    probed: {
      hailort: found({
        version: '5.2.0',
        path: '/usr/lib/libhailort.so',
        devices: [{ id: '0001:01:00.0', architecture: 'HAILO10H', firmware: '5.2.0' }],
      }),
    },
  }
  const { exit, verdict } = await run({ ...ten, programs: { 'g++': null } }, ['--need', 'hailo'])
  assert.equal(exit, 3, verdict)
  assert.match(verdict, /^BLOCKED doctor .* hint="sudo apt install g\+\+ hailo-h10-all #/)
  const whole = { ...ten, files: { ...ten.files, '/usr/include/hailo/hailort.hpp': '' } }
  assert.equal((await run(whole, ['--need', 'hailo'])).exit, 0)
})

test('doctor fails when a package does not load, and is blocked when it is not installed', async () => {
  const koffi = { ok: false, kind: 'crash', message: 'loading it crashes its process with SIGILL', hint: null } as const
  const crash = await run({ probed: { koffi } })
  assert.deepEqual([crash.exit, /^FAIL doctor .* hint="npm ci"$/.test(crash.verdict)], [1, true])
  const gone = await run({ probed: { onnxruntime: absent('ONNX Runtime') } })
  assert.deepEqual([gone.exit, gone.report.gates.find(({ status }) => status === 'blocked')!.name], [3, 'ONNX Runtime'])
})

test('doctor fails on an old node', async () => {
  const { exit, lines } = await run({ machine: { node: 'v18.20.4' } })
  assert.equal(exit, 1)
  assert.ok(lines.some(line => /^broken {3}node .*v18\.20\.4.*fix: install a newer one/.test(line)))
})

test('doctor --json is one document with the table and the plain facts', async () => {
  const { stdout, stderr, exit } = await run({}, ['--json'])
  const report = JSON.parse(stdout) as Report
  assert.equal(exit, 0)
  assert.equal(report.cells[0]!.outputs[0]!.kind, 'table')
  const [row] = report.cells[0]!.outputs[0]!.data as Record<string, unknown>[]
  assert.deepEqual(Object.keys(row!).slice(0, 2), ['status', 'name'])
  const { facts } = report.fingerprint as { facts: readonly Fact[] }
  assert.deepEqual(
    facts.find(({ name }) => name === 'trtexec'),
    { name: 'trtexec', status: 'missing', state: 'not on PATH', fix: 'sudo apt install libnvinfer-bin', needs: [] },
  )
  assert.match(stderr.trimEnd().split('\n').at(-1)!, /^PASS doctor /)
})

test('doctor goes on when a check throws: that one is broken with its message', async () => {
  const probe = async (subject: string) => {
    if (subject === 'tensorrt') throw new Error('the probe itself fell over')
    return found({ version: '1.0.0' })
  }
  const { exit, lines } = await run({ machine: { probe } })
  assert.equal(exit, 0)
  assert.ok(lines.some(line => /^broken {3}TensorRT .*the probe itself fell over/.test(line)))
})

test('doctor --dry-run looks at nothing and lists what it would look at', async () => {
  const { exit, stdout } = await runInProcess(
    doctorOf(() => assert.fail('it looked')),
    ['--dry-run'],
  )
  assert.equal(exit, 0)
  assert.match(stdout, /would look at node\n[\s\S]*would look at systemd\n/)
})

test('doctor refuses a need that it does not know', async () => {
  const { exit, stderr } = await run({}, ['--need', 'hailu'])
  assert.equal(exit, 2)
  assert.match(stderr, /did you mean hailo/)
})

test('doctor examines the machine under us, and finds the main job possible where these tests run', async () => {
  const { exit, lines, stdout } = await runInProcess(doctor, ['--all'])
  assert.equal(exit, 0, stdout)
  for (const name of ['node', 'bash', 'zx', 'tsx', 'koffi', 'onnxruntime-node', 'ONNX Runtime']) {
    assert.ok(
      lines.some(line => line.startsWith(`ok       ${name} `)),
      name,
    )
  }
  assert.ok(!stdout.includes('this check itself failed'), stdout)
})
