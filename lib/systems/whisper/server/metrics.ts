/**
 * What the Whisper service tells Prometheus.
 */
import { openMetrics, secondsBuckets } from '../../../serve/metrics.ts'
import type { Admission } from '../../../serve/admission.ts'
import type { ModelLife } from './model-life.ts'

/** The service's counters, and the page that shows them. */
export interface ServiceMetrics {
  transcribed(o: { readonly audioSeconds: number; readonly seconds: number }): void
  waited(seconds: number): void
  /** How many recordings were transcribed since the start. */
  transcriptions(): number
  text(): Promise<string>
  close(): void
}

/** Open the counters of one service. */
export async function openServiceMetrics(o: { admission: Admission; model: ModelLife }): Promise<ServiceMetrics> {
  const metrics = await openMetrics()
  let count = 0
  const buckets = [...secondsBuckets([]), 20, 30, 60, 120]
  const transcriptions = metrics.counter({ name: 'whisper_transcriptions_total', help: 'Recordings transcribed.' })
  const audio = metrics.counter({ name: 'whisper_audio_seconds_total', help: 'Seconds of audio transcribed.' })
  const took = metrics.histogram({
    name: 'whisper_transcription_seconds',
    help: 'Time from the start of decoding to the whole text.',
    buckets,
  })
  const waited = metrics.histogram({ name: 'whisper_queue_wait_seconds', help: 'Time in the queue.', buckets })
  const gauge = (name: string, help: string, read: () => number) => {
    const made: { set(value: number): void } = metrics.gauge({ name, help, collect: () => made.set(read()) })
  }
  gauge('whisper_queue_length', 'Requests that wait.', () => o.admission.waiting)
  gauge('whisper_requests_running', 'Requests that are worked on.', () => o.admission.running)
  gauge('whisper_model_loaded', 'Whether the model is in memory: 1 or 0.', () => Number(o.model.isLoaded))
  gauge('whisper_ready', 'Whether requests can be answered: 1 or 0.', () => Number(o.model.readiness.ready))
  return {
    transcribed({ audioSeconds, seconds }) {
      count++
      transcriptions.inc()
      audio.inc(audioSeconds)
      took.observe(seconds)
    },
    waited: seconds => waited.observe(seconds),
    transcriptions: () => count,
    text: () => metrics.text(),
    close: () => metrics.close(),
  }
}
