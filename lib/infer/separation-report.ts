/**
 * How is a separation shown and judged?
 *
 * Numbers, players and spectrograms for the report, and the gates. Separation quality is judged nowhere: a seeded network has
 * learnt nothing, so only what must hold for any weights is a gate.
 */
import { audio, spectrogram, table, type Display } from '../notebook/show.ts'
import { formatValue } from '../notebook/gates.ts'
import type { Gate } from '../notebook/session.ts'
import type { RuntimeMetrics, SeparatedRecording } from './separate-recording.ts'

/** A table of the metrics, then a player and a spectrogram for the mixture and each source. */
export function showSeparation({ metrics, files, spectrograms }: SeparatedRecording): Display[] {
  const rows = [
    ['device', metrics.device_info], ['recording', metrics.mix_wav], ['samples', metrics.input_samples], ['resampling', metrics.resampling],
    ['windows', metrics.windows], ['load ms', metrics.load_ms], ['configure ms', metrics.configure_ms], ['latency ms p50', metrics.latency_ms_p50],
    ['latency ms p95', metrics.latency_ms_p95], ['rtf', metrics.rtf], ['rtf with input and output', metrics.rtf_wall],
    ['sources add up to the mixture, dB', metrics.mixture_consistency_db], ['clipped samples', metrics.clipped_samples],
  ].map(([what, value]) => ({ what, value: typeof value === 'number' ? formatValue(value) : value }))
  const paths = [files.mix, ...files.sources]
  return [
    table(rows, { title: 'runtime' }),
    ...scoreTable(metrics),
    ...paths.flatMap((path, i) => [audio(path), spectrogram(spectrograms[i]!.picture, { title: spectrograms[i]!.title })]),
  ]
}

function scoreTable(metrics: RuntimeMetrics): Display[] {
  if (metrics.si_sdr_db === null) return []
  const rows = metrics.si_sdr_db.map((siSdr, i) => ({
    reference: `s${i + 1}`, estimate: `sep_src${metrics.permutation![i]! + 1}`, 'SI-SDR dB': siSdr, 'SI-SDR of the mixture dB': metrics.input_si_sdr_db![i]!,
    'SI-SDRi dB': siSdr - metrics.input_si_sdr_db![i]!,
  }))
  return [table(rows, { title: 'against the references' })]
}

/** Judge a separation. `mixtureDbMin` is null where the weights promise nothing about the sum of the sources. */
export function gateSeparation(gate: Gate, metrics: RuntimeMetrics, o: { rtfMax: number; mixtureDbMin: number | null }): void {
  gate('separated samples', metrics.output_samples, { equals: metrics.input_samples })
  gate('real-time factor', metrics.rtf, { atMost: o.rtfMax })
  if (o.mixtureDbMin !== null) gate('sources add up to the mixture', metrics.mixture_consistency_db, { atLeast: o.mixtureDbMin }, { unit: 'dB' })
}
