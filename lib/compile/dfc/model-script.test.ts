import assert from 'node:assert/strict'
import test from 'node:test'
import { modelScript } from './model-script.ts'

test('modelScript() switches off fine-tuning only when quick, and puts extra commands last', () => {
  const o = {
    calibrationSamples: 16,
    batchSize: 4,
    extra: '# a remark\n performance_param(compiler_optimization_level=max) \n\n',
  }
  const quick = modelScript({ ...o, quick: true }).split('\n')
  assert.ok(quick.includes('post_quantization_optimization(finetune, policy=disabled)'))
  assert.equal(quick.at(-2), 'performance_param(compiler_optimization_level=max)')
  assert.equal(quick.at(-1), '')
  const full = modelScript({ ...o, quick: false, calibrationSamples: 1024 })
  assert.doesNotMatch(full, /finetune/)
  assert.match(full, /model_optimization_config\(calibration, batch_size=4, calibset_size=1024\)/)
})
