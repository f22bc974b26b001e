import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { runInProcess } from '../lib/testing/run-in-process.ts'
import { installTrtexec, trtexecFlags, type TrtexecStandin } from '../lib/testing/trtexec/standin.ts'
import engines from './parakeet-engines.ts'

const build = async (standin: TrtexecStandin, ...argv: string[]) => {
  const trtexec = installTrtexec(mkdtempSync(join(tmpdir(), 'rungbook-')), standin)
  const ran = await runInProcess(engines, ['--run-ts', 't', '--trtexec', trtexec, ...argv])
  return { ran, report: JSON.parse(ran.read('build_report.json')) }
}
const ten = { version: '101600', flags: trtexecFlags[10] }
const eleven = { version: '110100', flags: trtexecFlags[11] }

test('parakeet-engines builds each component with profiles and TF32 off, BLOCKED where none runs', async () => {
  const { ran, report } = await build(ten)
  assert.match(ran.verdict, /^BLOCKED parakeet-engines gates=4\/8 /)
  assert.deepEqual([report.ok, report.builder.version, report.builds.length], [true, '10.16.0', 4])
  const [encoder] = report.builds
  assert.ok(encoder.command.includes('--minShapes=audio_signal:1x128x16,length:1'))
  assert.ok(encoder.command.includes('--maxShapes=audio_signal:1x128x3000,length:1'))
  assert.ok(encoder.command.includes('--noTF32'))
  assert.match(encoder.sha256, /^[0-9a-f]{64}$/)
})

test('parakeet-engines reports a failed build with its family, and builds the others', async () => {
  const log =
    '[E] Error[10]: Error Code 10: Internal Error (Could not find any implementation for node {ForeignNode[x]}.)'
  const { ran, report } = await build({ ...ten, fails: { component: 'joint', log, exit: 1 } })
  assert.match(ran.verdict, /^FAIL parakeet-engines /)
  const joint = report.builds.find(({ component }: { component: string }) => component === 'joint')
  assert.deepEqual([joint.ok, joint.plan], [false, null])
  assert.notEqual(joint.bucket, '')
  assert.match(joint.evidence, /Could not find any implementation/)
  assert.equal(report.builds.filter(({ ok }: { ok: boolean }) => ok).length, 3)
})

test('parakeet-engines takes no plan for no success, and is BLOCKED without trtexec', async () => {
  const { ran, report } = await build({ ...ten, writesNothing: true })
  assert.match(ran.verdict, /^FAIL parakeet-engines /)
  assert.equal(report.builds[0].bucket, 'no_plan')
  const absent = await runInProcess(engines, ['--run-ts', 't', '--trtexec', '/nowhere/trtexec'])
  assert.match(absent.verdict, /^BLOCKED parakeet-engines /)
  assert.deepEqual(JSON.parse(absent.read('build_report.json')).ok, false)
})

test('parakeet-engines gives --fp16 on TensorRT 10, and on 11 converts the graphs and judges them first', async () => {
  const old = await build(ten, '--precision', 'fp16')
  assert.ok(old.report.builds[0].command.includes('--fp16'))
  const { ran, report } = await build(eleven, '--precision', 'fp16')
  const gate = ran.report.gates.find(({ name }) => name === 'converted graphs give the reference')
  assert.equal(gate?.status, 'pass')
  assert.equal(report.builds.length, 4)
  for (const { ok, command } of report.builds as { ok: boolean; command: string[] }[]) {
    assert.ok(ok && !command.includes('--fp16'))
    assert.ok(command.some(word => word.startsWith('--onnx=') && word.includes('/half/')))
  }
})

test('parakeet-engines refuses graphs that were never converted, and bfloat16 without any on TensorRT 11', async () => {
  const blocked = await build(eleven, '--precision', 'bf16')
  assert.match(blocked.ran.verdict, /^BLOCKED parakeet-engines /)
  assert.match(blocked.ran.stderr, /TensorRT 11\.1\.0: it takes the precision from the ONNX file/)
  const model = blocked.ran.path('model')
  const same = await build(eleven, '--precision', 'fp16', '--model-dir', model, '--half-dir', model)
  assert.match(same.ran.verdict, /^BLOCKED parakeet-engines /)
  assert.match(same.ran.stderr, /none of its tensors is fp16/, 'graphs that were never converted are no fp16')
})

test('parakeet-engines builds through libnvinfer with --builder ffi, and is BLOCKED without it', async () => {
  const ran = await runInProcess(engines, ['--run-ts', 't', '--builder', 'ffi'])
  assert.match(ran.verdict, /^BLOCKED parakeet-engines /)
  assert.match(ran.stderr, /TensorRT/)
})
