/**
 * Measures what the Whisper service adds to a transcription, and what many requests leave in memory.
 *
 * The model is asked once; after that its answer is given again at once, so that a request takes as long as the service
 * alone: connection, upload, decoding of the WAV, admission, answer.
 */
import { median, quantile } from '../../base/statistics.ts'
import { table } from '../../notebook/display/show.ts'
import type { Inputs } from '../../notebook/inputs/inputs.ts'
import type { Tools } from '../../notebook/run/session.ts'
import { writeWav } from '../../formats/wav/index.ts'
import { readFile } from '../../host/files.ts'
import { whisperContract } from '../../systems/whisper/contract.ts'
import type { Whisper } from '../../systems/whisper/pipeline.ts'
import { transcriberOf } from '../../systems/whisper/server/pipeline-transcriber.ts'
import { openWhisperService } from '../../systems/whisper/server/service.ts'
import type { Transcriber, Transcription } from '../../systems/whisper/server/transcriber.ts'
import { defaultYaml, parseServiceYaml } from '../../systems/whisper/service-config.ts'

/** Requests before the first one that counts: code is compiled and pools are filled by then. */
const warmUp = 500

/**
 * Measure, show and judge.
 * @param samples a recording, mono at 16 kHz
 */
export async function benchWhisperServer(
  { run, cell, gate }: Pick<Tools<Inputs>, 'run' | 'cell' | 'gate'>,
  { whisper, samples, requests }: { whisper: Whisper; samples: Float32Array; requests: number },
): Promise<void> {
  const { bench } = whisperContract()
  const { msP50, growth } = await cell(`Send ${requests} requests to the service`, async ({ advance, show }) => {
    const config = await parseServiceYaml(defaultYaml(whisper.manifest.name), 'config.yaml')
    const open = () => Promise.resolve(answersAgain(transcriberOf(whisper)))
    const log = { level: 'warn', write: () => {} }
    const { service, close } = await openWhisperService({ config, log, open })
    try {
      const url = `${await service.listen({ host: '127.0.0.1', port: 0 })}/v1/audio/transcriptions`
      const body = uploadOf(run.path('request.wav'), samples.subarray(0, 160_000), whisper.manifest.name)
      const times: number[] = []
      let before = 0
      for (let i = 0; i < warmUp + requests; i++) {
        if (i === warmUp) before = process.memoryUsage().rss
        const beganMs = performance.now()
        const answer = await fetch(url, { method: 'POST', body: body() })
        const { text } = (await answer.json()) as { text: string }
        if (answer.status !== 200 || text.length === 0) throw new Error(`answer ${i} was ${answer.status}: "${text}"`)
        if (i >= warmUp) times.push(performance.now() - beganMs)
        advance(i + 1, warmUp + requests)
      }
      const growthMiB = (process.memoryUsage().rss - before) / 2 ** 20
      const measured = { requests, msP50: median(times), msP95: quantile(times, 0.95), growthMiB }
      show(table([measured], { title: '10 s of sound a request' }))
      return { msP50: measured.msP50, growth: growthMiB }
    } finally {
      await close(1000)
    }
  })
  gate('what the service adds to a request', msP50, { atMost: bench.serverOverheadMsMax }, { unit: 'ms' })
  gate('memory that requests leave', growth, { atMost: bench.memoryGrowthMiBMax }, { unit: 'MiB' })
}

/** A transcriber that gives its first answer at once from then on. */
function answersAgain(inner: Transcriber): Transcriber {
  let first: Promise<Transcription> | undefined
  return {
    ...inner,
    transcribe: (samples, options) => (first ??= inner.transcribe(samples, options)),
    // The model is the caller's.
    [Symbol.asyncDispose]: async () => {},
  }
}

/** A form with a WAV of these samples; made anew for each request, because its body is read once. */
function uploadOf(path: string, samples: Float32Array, model: string): () => FormData {
  writeWav(path, [samples], { sampleRate: 16_000 })
  const bytes = readFile(path)
  return () => {
    const form = new FormData()
    form.append('model', model)
    form.append('file', new Blob([Uint8Array.from(bytes)]), 'request.wav')
    return form
  }
}
