import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { parseConfig } from '../../../formats/nemo/open.ts'
import { dataPath, needsData } from '../../../testing/needs.ts'
import { fullNemoConfig } from '../../../testing/tdt/full-nemo-config.ts'
import { checkConfigKeys, configKeys } from './keys.ts'
import { tdtConfigFrom } from '../config.ts'

type Json = Record<string, unknown>
const full = async () => structuredClone(await parseConfig(fullNemoConfig, 'full')) as Json

/** A copy with the value at a dotted key changed. */
async function changed(key: string, value: unknown): Promise<Json> {
  const config = await full()
  const steps = key.split('.')
  let at = config
  for (const step of steps.slice(0, -1)) at = (at[step] ??= {}) as Json
  at[steps.at(-1)!] = value
  return config
}

test('configKeys() knows every key of a whole configuration, and refuses none of it', async () => {
  const keys = configKeys(await full())
  assert.ok(keys.length > 150, `${keys.length} keys`)
  assert.deepEqual(
    keys.filter(({ state }) => state === 'refused').map(({ key, why }) => `${key} ${why}`),
    [],
  )
  assert.ok(keys.every(({ why }) => why !== ''))
})

/** Keys that change the model, each with a value that is not supported. */
const refused: readonly (readonly [string, unknown])[] = [
  ['target', 'nemo.collections.asr.models.ctc_bpe_models.EncDecCTCModelBPE'],
  ['tokenizer.type', 'wpe'],
  ['tokenizer.type', 'agg'],
  ['loss.loss_name', 'multiblank_rnnt'],
  ['preprocessor._target_', 'nemo.collections.asr.modules.AudioToMFCCPreprocessor'],
  ['preprocessor.window', 'hamming'],
  ['preprocessor.n_window_size', 320],
  ['preprocessor.normalize', 'all_features'],
  ['preprocessor.lowfreq', 20],
  ['preprocessor.highfreq', 7600],
  ['preprocessor.log', false],
  ['preprocessor.log_zero_guard_type', 'clamp'],
  ['preprocessor.frame_splicing', 3],
  ['preprocessor.exact_pad', true],
  ['preprocessor.mag_power', 1],
  ['preprocessor.mel_norm', null],
  ['preprocessor.use_torchaudio', true],
  ['encoder._target_', 'nemo.collections.asr.modules.SqueezeformerEncoder'],
  ['encoder.feat_out', 512],
  ['encoder.subsampling', 'striding'],
  ['encoder.reduction', 'pooling'],
  ['encoder.self_attention_model', 'rel_pos_local_attn'],
  ['encoder.att_context_style', 'chunked_limited_with_rc'],
  ['encoder.conv_norm_type', 'group_norm8'],
  ['encoder.global_tokens', 4],
  ['encoder.something_new', 1],
  ['decoder._target_', 'nemo.collections.asr.modules.StatelessTransducerDecoder'],
  ['decoder.normalization_mode', 'layer'],
  ['decoder.blank_as_pad', false],
  ['decoder.prednet.t_max', 100],
  ['decoder.prednet.rnn_hidden_size', 512],
  ['joint._target_', 'nemo.collections.asr.modules.HATJoint'],
  ['joint.something_new', true],
  ['decoding.model_type', 'rnnt'],
  ['decoding.big_blank_durations', [2, 4]],
  ['decoding.temperature', 0.7],
  ['decoding.segment_seperators', ['.']],
  ['decoding.segment_gap_threshold', 3],
  ['decoding.greedy.ngram_lm_model', 'lm.arpa'],
  ['decoding.greedy.boosting_tree.key_phrases_file', 'words.txt'],
  ['a_new_section', { key: 1 }],
]

test('checkConfigKeys() refuses each key that changes the model, by its name, unless it is accepted', async () => {
  for (const [key, value] of refused) {
    const config = await changed(key, value)
    const name = typeof value === 'object' && value !== null && !Array.isArray(value) ? `${key}.key` : key
    assert.throws(
      () => checkConfigKeys(config),
      (thrown: Error & { hint?: string }) =>
        thrown.message.startsWith(`Cannot author the model: ${name} is `) && thrown.hint!.endsWith(`--accept ${name}`),
      name,
    )
    assert.doesNotThrow(() => checkConfigKeys(config, [name]), name)
  }
})

test('tdtConfigFrom() takes the values of each key that configKeys() calls read', async () => {
  const before = JSON.stringify(tdtConfigFrom(await full()))
  for (const [key, value] of [
    ['encoder.feat_in', 64],
    ['encoder.n_layers', 3],
    ['encoder.d_model', 48],
    ['encoder.n_heads', 2],
    ['encoder.conv_kernel_size', 5],
    ['encoder.conv_norm_type', 'layer_norm'],
    ['encoder.conv_context_size', 'causal'],
    ['encoder.subsampling_factor', 4],
    ['encoder.causal_downsampling', true],
    ['encoder.att_context_size', [8, 0]],
    ['encoder.att_context_style', 'regular'],
    ['encoder.xscaling', true],
    ['decoder.vocab_size', 64],
    ['decoder.prednet.pred_hidden', 48],
    ['decoder.prednet.pred_rnn_layers', 1],
    ['joint.jointnet.joint_hidden', 48],
    ['joint.jointnet.activation', 'tanh'],
  ] as const) {
    const config = await changed(key, value)
    if (key === 'encoder.att_context_style') continue
    assert.notEqual(JSON.stringify(tdtConfigFrom(config)), before, key)
  }
})

test("configKeys() refuses nothing of the configurations of NeMo's own models", { skip: needsData('nemo') }, () => {
  for (const file of ['tdt-tiny-a/model.json', 'tdt-tiny-b/model.json', 'tdt-stream-s/stream.json']) {
    const { config } = JSON.parse(readFileSync(dataPath(`nemo/${file}`), 'utf8'))
    assert.doesNotThrow(() => checkConfigKeys(config), file)
  }
})
