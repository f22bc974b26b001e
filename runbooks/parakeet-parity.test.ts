import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { encodeNpy } from '../lib/formats/tensors/npy.ts'
import { float32 } from '../lib/formats/tensors/tensor.ts'
import { runInProcess } from '../lib/testing/run-in-process.ts'
import parity from './parakeet-parity.ts'

test('parakeet-parity climbs R0 to R7 on a seeded model, and writes both reports', async () => {
  const ran = await runInProcess(parity, ['--run-ts', 't'])
  assert.match(ran.verdict, /^PASS parakeet-parity gates=8\/8 /)
  assert.match(ran.read('VALIDATION_REPORT_ORT.md'), /\| R5 \| .* \| pass \| .* drift_per_chunk/)
  assert.match(ran.read('VALIDATION_REPORT_TRT.md'), /\| R8 \| .* \| not_run \|/)
  assert.ok(ran.lines.some(line => line.endsWith('R7 pass, R8 not_run, R9 not_run, R10 not_run')))
})

test('parakeet-parity is BLOCKED, not passed, where engines are asked for and there are none', async () => {
  const ran = await runInProcess(parity, ['--run-ts', 't', '--rungs', 'trt'])
  assert.match(ran.verdict, /^BLOCKED parakeet-parity /)
  assert.match(ran.read('VALIDATION_REPORT_TRT.md'), /\| R9 \| .* \| blocked \| .* no fp16 engines were given/)
})

test("parakeet-parity judges R8 by polygraphy's outputs of two runners", async () => {
  const saved = (values: number[]) => ({
    values: { array: Buffer.from(encodeNpy(float32([2], values))).toString('base64') },
  })
  const judged = async (values: number[]) => {
    const path = join(mkdtempSync(join(tmpdir(), 'rungbook-')), 'out.json')
    const runner = (name: string, array: number[]) => [name, [{ outputs: { logits: saved(array) } }]]
    writeFileSync(path, JSON.stringify({ lst: [runner('onnxrt', [1, 2]), runner('trt', values)] }))
    const ran = await runInProcess(parity, ['--run-ts', 't', '--polygraphy', path])
    return JSON.parse(ran.read('rungs.json')).find(({ rung }: { rung: string }) => rung === 'R8')
  }
  assert.equal((await judged([1.0001, 2])).status, 'pass')
  const broken = await judged([1, 2.5])
  assert.deepEqual([broken.status, /logits of trt against onnxrt/.test(broken.firstDivergence)], ['fail', true])
})
