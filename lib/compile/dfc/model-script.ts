/**
 * Writes the text of a model script (`.alls`), which tells the Dataflow Compiler what the graph does not.
 *
 * `quick` switches off what costs time and does not decide whether a network fits. Extra lines of a person's own file
 * come last, so that they win.
 */

export interface ModelScriptOptions {
  /** Skip bias correction, AdaRound and fine-tuning, as a search does. */
  readonly quick: boolean
  readonly calibrationSamples: number
  readonly batchSize: number
  /** More commands, one a line; empty for none. */
  readonly extra: string
}

/** The script's text, one command a line. */
export function modelScript(o: ModelScriptOptions): string {
  const search = [
    'model_optimization_config(checker_cfg, policy=disabled)',
    'post_quantization_optimization(bias_correction, policy=disabled)',
    'post_quantization_optimization(adaround, policy=disabled)',
    'post_quantization_optimization(finetune, policy=disabled)',
  ]
  const sizes = `batch_size=${o.batchSize}, calibset_size=${o.calibrationSamples}`
  const always = `model_optimization_config(calibration, ${sizes})`
  const own = o.extra
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '' && !line.startsWith('#'))
  return `${[...(o.quick ? search : []), always, ...own].join('\n')}\n`
}
