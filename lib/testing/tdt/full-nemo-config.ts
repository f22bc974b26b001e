/**
 * A configuration of a TDT model with every key that NeMo's constructors and its usual training recipes take.
 */

/** YAML of `model_config.yaml`. */
export const fullNemoConfig = `
sample_rate: 16000
compute_eval_loss: false
log_prediction: true
rnnt_reduction: mean_volume
skip_nan_grad: false
use_cer: false
model_defaults: { enc_hidden: 1024, pred_hidden: 640, joint_hidden: 640, tdt_durations: [0, 1, 2, 3, 4],
  num_tdt_durations: 5 }
train_ds: { manifest_filepath: null, sample_rate: 16000, batch_size: 16, shuffle: true, num_workers: 8,
  pin_memory: true, max_duration: 20, min_duration: 0.1, is_tarred: false, bucketing_strategy: synced,
  augmentor: { noise: { prob: 0.2, manifest_path: null } } }
validation_ds: { manifest_filepath: null, sample_rate: 16000, batch_size: 16, shuffle: false }
test_ds: { manifest_filepath: null, sample_rate: 16000, batch_size: 16, shuffle: false }
tokenizer: { dir: null, type: bpe, model_path: 'nemo:0_tokenizer.model', vocab_path: 'nemo:0_vocab.txt',
  spe_tokenizer_vocab: 'nemo:0_tokenizer.vocab' }
preprocessor:
  _target_: nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor
  sample_rate: 16000
  window_size: 0.025
  window_stride: 0.01
  n_window_size: null
  n_window_stride: null
  window: hann
  normalize: per_feature
  n_fft: 512
  preemph: 0.97
  features: 128
  lowfreq: 0
  highfreq: null
  log: true
  log_zero_guard_type: add
  log_zero_guard_value: 5.960464477539063e-08
  dither: 1.0e-05
  pad_to: 0
  pad_value: 0.0
  frame_splicing: 1
  exact_pad: false
  mag_power: 2.0
  rng: null
  nb_augmentation_prob: 0.0
  nb_max_freq: 4000
  use_torchaudio: false
  mel_norm: slaney
  stft_exact_pad: false
  stft_conv: false
spec_augment: { _target_: nemo.collections.asr.modules.SpectrogramAugmentation, freq_masks: 2, time_masks: 10,
  freq_width: 27, time_width: 0.05 }
encoder:
  _target_: nemo.collections.asr.modules.ConformerEncoder
  feat_in: 128
  feat_out: -1
  n_layers: 24
  d_model: 1024
  use_bias: false
  subsampling: dw_striding
  subsampling_factor: 8
  subsampling_conv_channels: 256
  subsampling_conv_chunking_factor: 1
  causal_downsampling: false
  reduction: null
  reduction_position: null
  reduction_factor: 1
  ff_expansion_factor: 4
  self_attention_model: rel_pos
  n_heads: 8
  att_context_size: [-1, -1]
  att_context_style: regular
  att_context_probs: null
  xscaling: false
  untie_biases: true
  pos_emb_max_len: 5000
  conv_kernel_size: 9
  conv_norm_type: batch_norm
  conv_context_size: null
  global_tokens: 0
  global_tokens_spacing: 1
  global_attn_separate: false
  use_pytorch_sdpa: false
  use_pytorch_sdpa_backends: []
  sync_max_audio_length: true
  dropout: 0.1
  dropout_pre_encoder: 0.1
  dropout_emb: 0.0
  dropout_att: 0.1
  stochastic_depth_drop_prob: 0.0
  stochastic_depth_mode: linear
  stochastic_depth_start_layer: 1
decoder:
  _target_: nemo.collections.asr.modules.RNNTDecoder
  normalization_mode: null
  random_state_sampling: false
  blank_as_pad: true
  vocab_size: 8192
  prednet: { pred_hidden: 640, pred_rnn_layers: 2, t_max: null, dropout: 0.2, rnn_hidden_size: -1,
    forget_gate_bias: 1.0, weights_init_scale: 1.0, hidden_hidden_bias_scale: 0.0 }
joint:
  _target_: nemo.collections.asr.modules.RNNTJoint
  log_softmax: null
  preserve_memory: false
  fuse_loss_wer: true
  fused_batch_size: 4
  experimental_fuse_loss_wer: null
  masking_prob: -1.0
  num_extra_outputs: 5
  num_classes: 8192
  vocabulary: []
  jointnet: { joint_hidden: 640, activation: relu, dropout: 0.2, encoder_hidden: 1024, pred_hidden: 640 }
decoding:
  strategy: greedy_batch
  model_type: tdt
  durations: [0, 1, 2, 3, 4]
  big_blank_durations: []
  temperature: 1.0
  compute_hypothesis_token_set: false
  preserve_alignments: null
  tdt_include_token_duration: null
  compute_timestamps: null
  compute_langs: false
  fused_batch_size: null
  word_seperator: ' '
  segment_seperators: ['.', '!', '?']
  segment_gap_threshold: null
  rnnt_timestamp_type: all
  confidence_cfg: { preserve_frame_confidence: false, preserve_token_confidence: false, exclude_blank: true,
    aggregation: min, tdt_include_duration: false,
    method_cfg: { name: entropy, entropy_type: tsallis, alpha: 0.33, entropy_norm: exp, temperature: DEPRECATED } }
  greedy: { max_symbols: 10, preserve_alignments: false, preserve_frame_confidence: false, loop_labels: true,
    use_cuda_graph_decoder: true, ngram_lm_model: null, ngram_lm_alpha: 0.0, boosting_tree_alpha: 0.0,
    boosting_tree: { model_path: null, key_phrases_file: null, key_phrases_list: null, context_score: 1.0 } }
  beam: { beam_size: 2, search_type: default, return_best_hypothesis: false, score_norm: true,
    softmax_temperature: 1.0, tsd_max_sym_exp: 50, alsd_max_target_len: 2.0, maes_num_steps: 2,
    maes_prefix_alpha: 1, maes_expansion_gamma: 2.3, maes_expansion_beta: 2, ngram_lm_model: null }
aux_ctc: { ctc_loss_weight: 0.3, use_cer: false, ctc_reduction: mean_batch,
  decoder: { _target_: nemo.collections.asr.modules.ConvASRDecoder, feat_in: null, num_classes: -1 } }
interctc: { loss_weights: [], apply_at_layers: [] }
loss: { loss_name: tdt, warprnnt_numba_kwargs: { fastemit_lambda: 0.0, clamp: -1.0 },
  tdt_kwargs: { fastemit_lambda: 0.002, clamp: -1.0, durations: [0, 1, 2, 3, 4], sigma: 0.02, omega: 0.1 } }
optim: { name: adamw, lr: 0.0005, betas: [0.9, 0.98], weight_decay: 0.001,
  sched: { name: CosineAnnealing, warmup_steps: 15000, warmup_ratio: null, min_lr: 0.0001 } }
variational_noise: { start_step: 0, std: 0.0 }
labels: []
target: nemo.collections.asr.models.rnnt_bpe_models.EncDecRNNTBPEModel
nemo_version: 2.6.2
`
