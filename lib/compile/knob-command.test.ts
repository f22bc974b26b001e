import assert from 'node:assert/strict'
import test from 'node:test'
import { knobChange } from './knob-command.ts'

const last = { nFilters: 64, bnChan: 24, hidChan: 48, skipChan: 24, nBlocks: 2, nRepeats: 1, inputLen: 16000 }

test('knobChange() turns a flag into its input, also behind an explanation', () => {
  assert.deepEqual(knobChange('--ladder temporal', last)?.inputs, { ladder: 'temporal' })
  assert.deepEqual(knobChange('--case-timeout-min 60: the mapper may take an hour', last)?.inputs, { caseTimeoutMin: '60' })
  assert.deepEqual(knobChange('fewer elementwise layers: --mask-act linear (APUs 149/120)', last)?.inputs, { maskAct: 'linear' })
  assert.deepEqual(knobChange('QUICK_OPT=0', last)?.inputs, { quickOpt: false })
})

test('knobChange() turns a smaller size into a rung of its own', () => {
  const tag = (change: string) => knobChange(change, last)?.inputs.config
  assert.equal(tag('reduce hid_chan: 48 -> 32'), 'mono_f64_bn24_hid32_skip24_b2_r1_t16000')
  assert.equal(tag('reduce bn_chan/skip_chan together: 24 -> 16'), 'mono_f64_bn16_hid48_skip16_b2_r1_t16000')
  assert.equal(tag('reduce n_blocks: 2 -> 1 (LCUs 149/96)'), 'mono_f64_bn24_hid48_skip24_b1_r1_t16000')
  assert.equal(tag('reduce input_len: 16000 -> 8000'), 'mono_f64_bn24_hid48_skip24_b2_r1_t8000')
  assert.equal(knobChange('reduce hid_chan: 48 -> 32', undefined), null)
})

test('knobChange() takes the command out of a model-script knob', () => {
  assert.deepEqual(knobChange('context_switch_param(mode=enabled)', last), { inputs: {}, script: 'context_switch_param(mode=enabled)' })
})

test('knobChange() leaves alone what is no input of ours', () => {
  for (const words of ['another version of the compiler', 'none: mono_x compiled', 'resolve non-allocator failure first: Timeout']) assert.equal(knobChange(words, last), null, words)
})
