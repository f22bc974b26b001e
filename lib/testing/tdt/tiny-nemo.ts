/**
 * The configuration of the tiny seeded model as a NeMo file would state it.
 */

/** YAML of `model_config.yaml`, with one thing changed where a test asks for it. */
export const tinyNemoConfig = ({ subsampling = 'dw_striding', pieces = 32 } = {}): string => `
model_defaults:
  tdt_durations: [0, 1, 2, 3, 4]
preprocessor:
  sample_rate: 16000
  window_size: 0.025
  window_stride: 0.01
  n_fft: 512
  features: 128
  normalize: per_feature
encoder:
  feat_in: 128
  n_layers: 2
  d_model: 32
  n_heads: 4
  conv_kernel_size: 9
  conv_norm_type: batch_norm
  conv_context_size: null
  subsampling: ${subsampling}
  subsampling_factor: 8
  causal_downsampling: false
  self_attention_model: rel_pos
  att_context_size: [-1, -1]
  att_context_style: regular
  xscaling: false
decoder:
  vocab_size: 32
  prednet: { pred_hidden: 32, pred_rnn_layers: 2 }
joint:
  num_extra_outputs: 5
  jointnet: { joint_hidden: 32, activation: relu }
  vocabulary: [${Array.from({ length: pieces }, (_, i) => `"p${i}"`).join(', ')}]
decoding:
  greedy: { max_symbols: 10 }
`
