/**
 * Knows every key of a NeMo configuration of a TDT model: read, without effect on an exported model, or refused.
 *
 * A key that nothing here knows is refused by name as well: what is passed over in silence may change every word.
 * Source: NVIDIA-NeMo/NeMo@8cfedd72, the constructors of the modules that a configuration names.
 */
import { usageError } from '../../../base/errors.ts'

type Table = Readonly<Record<string, unknown>>

/** What a key is: `read`, of no effect for a reason, or of one of the values that are supported. */
type Rule = { readonly read: string } | { readonly idle: string } | { readonly only: readonly unknown[] }

const read = (what: string): Rule => ({ read: what })
const idle = (why: string): Rule => ({ idle: why })
const only = (...values: readonly unknown[]): Rule => ({ only: values })

const training = idle('training only')
const shown = idle('says what is reported, and changes no token')
const repeated = idle('repeats a value that is read elsewhere')
const memory = idle('speed and memory only')
const ofContract = idle('the contract says how it is done')
const byWeights = read('from the shapes of the weights')

/**
 * Rules by dotted key; `.*` is everything below. A module is named by the last part of its path, as in `_target_`.
 */
const rules: Readonly<Record<string, Rule>> = {
  sample_rate: repeated,
  name: shown,
  target: only('EncDecRNNTBPEModel', 'EncDecHybridRNNTCTCBPEModel', 'ASRModel'),
  nemo_version: shown,
  labels: repeated,
  'tokenizer.type': only('bpe'),
  'tokenizer.model_path': read('the vocabulary'),
  'tokenizer.*': shown,
  'model_defaults.tdt_durations': read('duration values'),
  'model_defaults.*': repeated,
  'loss.loss_name': only('tdt', 'default'),
  'loss.*': training,
  'aux_ctc.*': idle('a second head, which TDT decoding does not ask'),
  ...under('preprocessor', {
    _target_: only('AudioToMelSpectrogramPreprocessor'),
    sample_rate: read('the front end'),
    window_size: read('the front end'),
    window_stride: read('the front end'),
    n_window_size: only(null),
    n_window_stride: only(null),
    window: only('hann'),
    normalize: only('per_feature', 'NA', null),
    n_fft: read('the front end'),
    preemph: read('the front end'),
    features: read('the front end'),
    lowfreq: only(0),
    highfreq: only(null, 0, 8000),
    log: only(true),
    log_zero_guard_type: only('add'),
    log_zero_guard_value: read('the front end'),
    dither: training,
    pad_to: idle('frames behind the length are masked'),
    pad_value: only(0),
    frame_splicing: only(1),
    exact_pad: only(false),
    mag_power: only(2),
    mel_norm: only('slaney'),
    use_torchaudio: only(false),
    stft_exact_pad: idle('NeMo ignores it'),
    stft_conv: idle('NeMo ignores it'),
    rng: training,
    nb_augmentation_prob: training,
    nb_max_freq: training,
  }),
  ...under('encoder', {
    _target_: only('ConformerEncoder'),
    feat_in: read('the shape of the input'),
    feat_out: only(-1, 0, null),
    n_layers: read('the stack of layers'),
    d_model: read('the width'),
    use_bias: byWeights,
    subsampling: only('dw_striding'),
    subsampling_factor: read('the front'),
    subsampling_conv_channels: byWeights,
    subsampling_conv_chunking_factor: memory,
    causal_downsampling: read('the front'),
    reduction: only(null),
    reduction_position: idle('there is no reduction'),
    reduction_factor: idle('there is no reduction'),
    ff_expansion_factor: byWeights,
    self_attention_model: only('rel_pos'),
    n_heads: read('attention'),
    att_context_size: read('attention; the first of several'),
    att_context_style: only('regular', 'chunked_limited'),
    att_context_probs: training,
    xscaling: read('the scale before the layers'),
    untie_biases: idle('the weights hold the biases of each layer either way'),
    pos_emb_max_len: idle('positions are computed for any length'),
    conv_kernel_size: read('the convolutions'),
    conv_norm_type: only('batch_norm', 'layer_norm'),
    conv_context_size: read('the convolutions'),
    global_tokens: only(0),
    global_tokens_spacing: idle('there are no global tokens'),
    global_attn_separate: idle('there are no global tokens'),
    use_pytorch_sdpa: memory,
    use_pytorch_sdpa_backends: memory,
    sync_max_audio_length: memory,
    dropout: training,
    dropout_pre_encoder: training,
    dropout_emb: training,
    dropout_att: training,
    stochastic_depth_drop_prob: training,
    stochastic_depth_mode: training,
    stochastic_depth_start_layer: training,
  }),
  ...under('decoder', {
    _target_: only('RNNTDecoder'),
    vocab_size: read('the vocabulary'),
    normalization_mode: only(null),
    random_state_sampling: training,
    blank_as_pad: only(true),
    'prednet.pred_hidden': read('the predictor'),
    'prednet.pred_rnn_layers': read('the predictor'),
    'prednet.t_max': only(null),
    'prednet.rnn_hidden_size': only(-1, 0, null),
    'prednet.dropout': training,
    'prednet.forget_gate_bias': training,
    'prednet.weights_init_scale': training,
    'prednet.hidden_hidden_bias_scale': training,
  }),
  ...under('joint', {
    _target_: only('RNNTJoint', 'SampledRNNTJoint'),
    'jointnet.joint_hidden': read('the joint'),
    'jointnet.activation': read('the joint'),
    'jointnet.encoder_hidden': repeated,
    'jointnet.pred_hidden': repeated,
    'jointnet.dropout': training,
    num_classes: repeated,
    num_extra_outputs: read('the durations'),
    vocabulary: read('the vocabulary'),
    log_softmax: idle('an exported joint gives logits'),
    preserve_memory: memory,
    fuse_loss_wer: training,
    fused_batch_size: memory,
    experimental_fuse_loss_wer: training,
    masking_prob: training,
    n_samples: training,
  }),
  ...under('decoding', {
    model_type: only('tdt'),
    strategy: ofContract,
    durations: read('duration values'),
    big_blank_durations: only(null),
    temperature: only(1),
    word_seperator: only(' '),
    segment_seperators: only('!.?'),
    segment_gap_threshold: only(null),
    'greedy.max_symbols': read('the guard on tokens of one frame'),
    'greedy.max_symbols_per_step': read('the guard on tokens of one frame'),
    'greedy.ngram_lm_model': only(null),
    'greedy.boosting_tree.model_path': only(null),
    'greedy.boosting_tree.key_phrases_file': only(null),
    'greedy.boosting_tree.key_phrases_list': only(null),
    'greedy.*': shown,
    'beam.*': idle('a search here has settings of its own'),
    'confidence_cfg.*': ofContract,
    compute_hypothesis_token_set: shown,
    preserve_alignments: shown,
    tdt_include_token_duration: shown,
    compute_timestamps: shown,
    compute_langs: shown,
    rnnt_timestamp_type: shown,
    fused_batch_size: memory,
  }),
  ...Object.fromEntries(
    [
      'train_ds',
      'validation_ds',
      'test_ds',
      'optim',
      'spec_augment',
      'interctc',
      'variational_noise',
      'trainer',
      'exp_manager',
    ].map(section => [`${section}.*`, training]),
  ),
  ...Object.fromEntries(
    [
      'compute_eval_loss',
      'log_prediction',
      'rnnt_reduction',
      'skip_nan_grad',
      'use_cer',
      'ctc_reduction',
      'freeze_updates',
      'init_from_nemo_model',
      'init_from_pretrained_model',
      'init_from_ptl_ckpt',
    ].flatMap(key => [
      [key, training],
      [`${key}.*`, training],
    ]),
  ),
}

function under(section: string, keys: Readonly<Record<string, Rule>>): Record<string, Rule> {
  return Object.fromEntries(Object.entries(keys).map(([key, rule]) => [`${section}.${key}`, rule]))
}

/** What a key of a configuration is. `why` says what reads it, or why it has no effect. */
export interface ConfigKey {
  readonly key: string
  readonly value: unknown
  readonly state: 'read' | 'no effect' | 'refused'
  readonly why: string
}

/** Every key of a configuration, in its order. Lists are one key. */
export function configKeys(config: Table): ConfigKey[] {
  return keysBelow(config, '').map(([key, value]) => ({ key, value, ...stateOf(key, value) }))
}

/**
 * Refuse a configuration with a key that is not known, or of a value that is not supported.
 * @param accepted keys that the user says have no effect
 * @throws RunbookError usage, with the first such key by name
 */
export function checkConfigKeys(config: Table, accepted: readonly string[] = []): void {
  const refused = configKeys(config).filter(({ state, key }) => state === 'refused' && !accepted.includes(key))
  const [first, ...more] = refused
  if (first === undefined) return
  const others = more.length === 0 ? '' : `; so are ${more.map(({ key }) => key).join(', ')}`
  throw usageError(
    `Cannot author the model: ${first.key} is ${JSON.stringify(first.value)}, ${first.why}${others}`,
    `read what it does; if it changes nothing at inference: --accept ${refused.map(({ key }) => key).join(',')}`,
  )
}

function keysBelow(table: Table, prefix: string): [string, unknown][] {
  return Object.entries(table).flatMap(([name, value]) => {
    const key = prefix + name
    const isTable = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isTable && Object.keys(value).length > 0 ? keysBelow(value as Table, `${key}.`) : [[key, value]]
  })
}

function stateOf(key: string, value: unknown): Pick<ConfigKey, 'state' | 'why'> {
  const rule = ruleOf(key)
  if (rule === undefined) return { state: 'refused', why: 'which nothing here knows' }
  if ('read' in rule) return { state: 'read', why: rule.read }
  if ('idle' in rule) return { state: 'no effect', why: rule.idle }
  if (rule.only.includes(plain(key, value))) return { state: 'read', why: 'as supported' }
  return { state: 'refused', why: `and should be ${rule.only.map(one => JSON.stringify(one)).join(' or ')}` }
}

/** The rule of a key itself, or of the nearest section around it that is covered whole. */
function ruleOf(key: string): Rule | undefined {
  if (Object.hasOwn(rules, key)) return rules[key]
  const steps = key.split('.')
  for (let end = steps.length - 1; end > 0; end--) {
    const section = `${steps.slice(0, end).join('.')}.*`
    if (Object.hasOwn(rules, section)) return rules[section]
  }
  return undefined
}

/** A value as its rule writes it: a module by its last name, marks in one order, an empty list as none. */
function plain(key: string, value: unknown): unknown {
  if (typeof value === 'string' && /(^|\.)(_target_|target)$/.test(key)) return value.split('.').at(-1)
  if (!Array.isArray(value)) return value
  return value.length === 0 ? null : value.toSorted().join('')
}
