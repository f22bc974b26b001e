/**
 * Shows a separation, and judges it.
 *
 * Numbers, players and spectrograms for the report, and the gates. What the weights promise is a gate: that seeded
 * sources add up to the mixture, that trained ones take known voices apart. Of other weights nothing is judged.
 */
import { basename } from 'node:path'
import { shellWord } from '../../../base/text.ts'
import { audio, spectrogram, table, type Display } from '../../../notebook/display/show.ts'
import { formatValue } from '../../../notebook/run/gates.ts'
import type { Gate } from '../../../notebook/run/session.ts'
import type { RuntimeMetrics, SeparatedRecording } from './separate-recording.ts'

/**
 * A table of the metrics, then a player and a spectrogram for the mixture and each source.
 * @param o.runFolder where the report will stand, when the sound is elsewhere
 */
export function showSeparation(
  { metrics, files, spectrograms }: SeparatedRecording,
  o: { runFolder?: string } = {},
): Display[] {
  const paths = [files.mix, ...files.sources]
  const sound = o.runFolder === undefined ? {} : { runFolder: o.runFolder }
  return [
    table(factRows(metrics), { title: 'runtime' }),
    ...scoreTable(metrics),
    ...paths.flatMap((path, i) => [
      audio(path, sound),
      spectrogram(spectrograms[i]!.picture, { title: `spectrogram of ${spectrograms[i]!.title}` }),
    ]),
  ]
}

function factRows(metrics: RuntimeMetrics): { what: string; value: string }[] {
  const { window_samples: windowSamples, halo_samples: haloSamples, zero_inputs: zeroInputs } = metrics
  const rows: [string, string | number][] = [
    ['device', metrics.device_info],
    ['recording', basename(metrics.mix_wav)],
    ['samples', metrics.input_samples],
    ['mixdown', metrics.mixdown],
    ['resampling', metrics.resampling],
    ['windows', `${metrics.windows} of ${windowSamples} samples, ${haloSamples} dropped at inner edges`],
    ['streams', `${metrics.input_stream} -> ${metrics.output_stream}`],
    ['load ms', metrics.load_ms],
    ['configure ms', metrics.configure_ms],
    ['latency ms p50', metrics.latency_ms_p50],
    ['latency ms p95', metrics.latency_ms_p95],
    ['rtf', metrics.rtf],
    ['rtf with reading and writing', metrics.rtf_wall],
    ['sources add up to the mixture, dB', metrics.mixture_consistency_db],
    ['sources multiplied with', metrics.source_gains?.map(gain => formatValue(gain)).join(', ') ?? 'nothing'],
    ['quietest source, dB', metrics.quietest_source_db],
    ['likeness of two sources', metrics.source_likeness ?? 'none'],
    ['clipped samples', metrics.clipped_samples],
  ]
  if (metrics.temperature_c !== null) rows.push(['temperature °C', metrics.temperature_c])
  if (metrics.power_w !== null) rows.push(['power W', metrics.power_w])
  for (const warning of metrics.warnings) rows.push(['warning', warning])
  if (zeroInputs.length > 0) rows.push(['inputs fed zeros', zeroInputs.join(', ')])
  return rows.map(([what, value]) => ({ what, value: typeof value === 'number' ? formatValue(value) : value }))
}

function scoreTable(metrics: RuntimeMetrics): Display[] {
  if (metrics.si_sdr_db === null) return []
  const rows = metrics.si_sdr_db.map((siSdr, i) => ({
    reference: `s${i + 1}`,
    estimate: `sep_src${metrics.permutation![i]! + 1}`,
    'SI-SDR dB': siSdr,
    'SI-SDR of the mixture dB': metrics.input_si_sdr_db![i]!,
    'SI-SDRi dB': siSdr - metrics.input_si_sdr_db![i]!,
  }))
  return [table(rows, { title: 'against the references' })]
}

/** What helps a separation that failed: the recording, where it is too loud, else the model or the rung. */
export function failureHint(metrics: RuntimeMetrics, { sourceDbMin, likenessMax }: SoundBounds): string {
  if (metrics.mix_clipped_samples > 0 && metrics.clipped_samples > 0) {
    const quieter = `ffmpeg -i ${shellWord(metrics.mix_wav)} -filter:a volume=-24dB quieter.wav`
    return `the recording itself goes beyond full scale: ${quieter}`
  }
  const isNoSound =
    metrics.quietest_source_db < (sourceDbMin ?? -Infinity) || (metrics.source_likeness ?? 0) > likenessMax
  return isNoSound
    ? 'the model answers no separate sound: compare it with the graph it was made of'
    : 'choose another rung'
}

/** What a separation must keep to. */
export interface SoundBounds {
  readonly rtfMax: number
  readonly clippedShareMax: number
  /** Below it a source holds no sound; null where zeros are what was asked for. */
  readonly sourceDbMin: number | null
  /** Above it two sources are one. */
  readonly likenessMax: number
  /** null where the weights promise nothing about the sum of the sources. */
  readonly mixtureDbMin: number | null
  /** Left out where the weights promise nothing about these voices. */
  readonly siSdriDbMin?: number | null
}

/** Judge a separation, and say whether all is well. */
export function gateSeparation(gate: Gate, metrics: RuntimeMetrics, o: SoundBounds): boolean {
  const verdicts = [
    gate('separated samples', metrics.output_samples, { equals: metrics.input_samples }),
    gate('real-time factor', metrics.rtf, { atMost: o.rtfMax }),
  ]
  const written = metrics.output_samples * (metrics.sources + 1)
  verdicts.push(gate('share of clipped samples', metrics.clipped_samples / written, { atMost: o.clippedShareMax }))
  if (o.sourceDbMin !== null) {
    verdicts.push(gate('quietest source', metrics.quietest_source_db, { atLeast: o.sourceDbMin }, { unit: 'dB' }))
    if (metrics.source_likeness !== null)
      verdicts.push(gate('likeness of two sources', metrics.source_likeness, { atMost: o.likenessMax }))
  }
  if (o.mixtureDbMin !== null) {
    const bound = { atLeast: o.mixtureDbMin }
    verdicts.push(gate('sources add up to the mixture', metrics.mixture_consistency_db, bound, { unit: 'dB' }))
  }
  if (o.siSdriDbMin !== undefined && o.siSdriDbMin !== null) {
    const bound = { atLeast: o.siSdriDbMin }
    verdicts.push(gate('voices come apart (SI-SDRi)', metrics.si_sdri_db, bound, { unit: 'dB' }))
  }
  return verdicts.every(Boolean)
}
