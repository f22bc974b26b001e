import assert from 'node:assert/strict'
import test from 'node:test'
import { fakeMachine, found, type FakeMachine } from '../testing/machine/fake-machine.ts'
import { dfcFact, hailortcliFact, polygraphyFact, trtexecFact } from './vendor-tools.ts'

const script = (body: string) => `#!/bin/sh\n${body}\n`
const withDevice = { '/sys/class/hailo_chardev/hailo0/board_location': 'x' }
const cli = (identify: string) =>
  script(`case "$1" in --version) echo "HailoRT-CLI version 4.23.0";; *) ${identify};; esac`)
const banner = (version: number, end = 'PASSED') =>
  script(
    [
      `echo "&&&& RUNNING TensorRT.trtexec [TensorRT v${version}] # trtexec --help"`,
      'echo "=== Model Options ==="',
      `echo "&&&& ${end} TensorRT.trtexec [TensorRT v${version}] # trtexec --help"`,
    ].join('\n'),
  )
const trtexec = (o: FakeMachine) => trtexecFact(fakeMachine(o))

test('dfcFact() finds the compiler by its parser, with version and path', async () => {
  const hailo = script('echo "[info] Hailo DFC Version: 3.33.0"; echo "usage: hailo parser [-h] {tf,onnx} model_path"')
  const fact = await dfcFact(fakeMachine({ programs: { hailo } }))
  assert.equal(fact.status, 'ok', fact.state)
  assert.match(fact.state, /^3\.33\.0 \(.*\/usr\/bin\/hailo\)$/)
  assert.deepEqual(fact.needs, ['dfc'])
})

test('dfcFact() is missing on a machine without it, and where the name belongs to HailoRT', async () => {
  const none = await dfcFact(fakeMachine())
  assert.deepEqual([none.status, none.state], ['missing', 'no program hailo on PATH'])
  assert.match((await dfcFact(fakeMachine({ machine: { arch: 'arm64' } }))).state, /x86_64 only, and this is arm64/)
  const complaint = "hailo: error: argument cmd: invalid choice: 'parser' (choose from 'fw-control', 'run')"
  const runtime = script(`echo "${complaint}" >&2; exit 2`)
  const fact = await dfcFact(fakeMachine({ programs: { hailo: runtime } }))
  assert.equal(fact.status, 'missing')
  assert.match(fact.state, /HailoRT's hailo, which runs models and has no parser/)
})

test('dfcFact() is broken when the compiler is installed and does not start', async () => {
  const hailo = script('echo "ModuleNotFoundError: No module named hailo_sdk_client" >&2; exit 1')
  const fact = await dfcFact(fakeMachine({ programs: { hailo } }))
  assert.equal(fact.status, 'broken')
  assert.match(fact.state, /hailo_sdk_client/)
})

test('hailortcliFact() is ok without a device, and warns of its exit code', async () => {
  const fact = await hailortcliFact(fakeMachine({ programs: { hailortcli: cli('exit 0') } }))
  assert.equal(fact.status, 'ok')
  assert.match(fact.state, /^4\.23\.0 .*its exit code is 0 without a device too/)
})

test('hailortcliFact() does not take silence with exit code 0 for a device', async () => {
  const fact = await hailortcliFact(fakeMachine({ files: withDevice, programs: { hailortcli: cli('exit 0') } }))
  assert.equal(fact.status, 'broken')
  assert.match(fact.state, /identify says nothing \(exit code 0\)/)
})

test('hailortcliFact() reads the architecture that identify prints, or quotes what it says instead', async () => {
  const identifying = (identify: string) =>
    hailortcliFact(fakeMachine({ files: withDevice, programs: { hailortcli: cli(identify) } }))
  const identified = await identifying('echo "Device Architecture: HAILO8L"')
  assert.match(identified.state, /identifies a HAILO8L$/)
  const refused = await identifying('echo "[HailoRT] [error] status 76" >&2; exit 76')
  assert.match(refused.state, /exit code 76 and says "\[HailoRT\] \[error\] status 76"/)
})

test('hailortcliFact() is broken when it is of another version than the library, or no hailortcli', async () => {
  const machine = { probed: { hailort: found({ version: '4.20.0' }) }, programs: { hailortcli: cli('exit 0') } }
  assert.match((await hailortcliFact(fakeMachine(machine))).state, /^4\.23\.0 .*but the library is 4\.20\.0/)
  assert.equal((await hailortcliFact(fakeMachine({ programs: { hailortcli: 'what?' } }))).status, 'broken')
  assert.equal((await hailortcliFact(fakeMachine())).status, 'missing')
})

test('trtexecFact() reads the version of each major from its banner', async () => {
  for (const [number, version] of [
    [8601, '8.6.1'],
    [101_303, '10.13.3'],
    [110_100, '11.1.0'],
  ] as const) {
    const fact = await trtexec({ programs: { trtexec: banner(number) } })
    assert.deepEqual([fact.status, fact.state.split(' ')[0]], ['ok', version])
  }
})

test('trtexecFact() tells the habits of its major', async () => {
  assert.match(
    (await trtexec({ programs: { trtexec: banner(101_303) } })).state,
    /TF32 is on unless trtexec is told --noTF32/,
  )
  assert.match((await trtexec({ programs: { trtexec: banner(110_100) } })).state, /knows no --fp16/)
})

test('trtexecFact() goes by its last line and not by its exit code', async () => {
  const fact = await trtexec({ programs: { trtexec: banner(101_303, 'FAILED') } })
  assert.equal(fact.status, 'broken')
})

test('trtexecFact() is broken when the library is of another minor: its plans would not load', async () => {
  const library = (version: string) =>
    trtexec({ programs: { trtexec: banner(101_303) }, probed: { tensorrt: found({ version }) } })
  assert.match((await library('10.9.0')).state, /but the library is 10\.9\.0: its plans would not load/)
  assert.equal((await library('10.13.2')).status, 'ok')
})

test('trtexecFact() finds the one that is installed and not on PATH', async () => {
  const fact = await trtexec({ programs: { 'usr/src/tensorrt/bin/trtexec': banner(101_303) } })
  assert.deepEqual([fact.status, fact.fix], ['broken', 'export PATH="$PATH:/usr/src/tensorrt/bin"'])
  assert.equal((await trtexec({})).status, 'missing')
})

test('polygraphyFact() reads its version and tells its habit', async () => {
  const polygraphy = (says: string | null) => polygraphyFact(fakeMachine({ programs: { polygraphy: says } }))
  const said = await polygraphy("Polygraphy | Version: 0.49.24 | Path: ['/usr/lib/polygraphy']")
  assert.match(said.state, /^0\.49\.24 .*TF32 is off unless polygraphy is told --tf32/)
  assert.equal((await polygraphy(script('echo "ImportError: numpy" >&2; exit 1'))).status, 'broken')
  assert.equal((await polygraphy(null)).status, 'missing')
})

test('dfcFact() asks the compiler that somebody named, and is missing without Docker', async () => {
  const image = fakeMachine({ machine: { dfc: 'docker:hailo/dfc:3.33' } })
  const fact = await dfcFact(image)
  assert.deepEqual([fact.status, fact.needs], ['missing', ['dfc']])
  assert.match(fact.state, /Cannot run "docker": it is not on PATH/)
  const gone = await dfcFact(fakeMachine({ machine: { dfc: '/nowhere/venv' } }))
  assert.match(gone.state, /\/nowhere\/venv/)
})
