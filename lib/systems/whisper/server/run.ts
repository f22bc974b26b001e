/**
 * Runs the Whisper service for a runbook: opens it, tries it, serves until it should stop, drains, and counts.
 */
import { createWriteStream } from 'node:fs'
import { once } from 'node:events'
import { openBackend } from '../../../infer/open.ts'
import { untilStopped } from '../../../serve/until.ts'
import { openModel } from '../model.ts'
import type { ServiceConfig } from '../service-config.ts'
import type { Readiness } from './model-life.ts'
import { transcriberOf } from './pipeline-transcriber.ts'
import { openWhisperService } from './service.ts'

/** What is served, and for how long. */
export interface ServeOptions {
  readonly config: ServiceConfig
  /** The folder of models; the user's cache where undefined. */
  readonly store: string | undefined
  /** Silero's network; speech is found by energy where undefined. */
  readonly vad: string | undefined
  readonly threads: number | undefined
  readonly logLevel: string
  readonly logFile: string
  /** Serve that long; until the signal where undefined. */
  readonly seconds: number | undefined
  readonly signal: AbortSignal
  readonly print: (line: string) => void
}

/** How a run of the service went. */
export interface ServeOutcome {
  readonly url: string
  readonly readiness: Readiness
  readonly device: string
  readonly transcriptions: number
  /** Requests that were accepted and cut off at the end. */
  readonly lost: number
}

/** How long accepted requests may go on after the signal, ms: a runbook has eight seconds to end. */
const graceMs = 6000

/**
 * Serve until the signal or the time.
 *
 * @throws {RunbookError} blocked when the port cannot be had
 */
export async function runService(o: ServeOptions): Promise<ServeOutcome> {
  const { config } = o
  const log = createWriteStream(o.logFile)
  await using silero = o.vad === undefined ? null : await openBackend(o.vad)
  const whisper = await openWhisperService({
    config,
    open: async () =>
      transcriberOf(await openModel({ model: config.model.name, store: o.store }, { threads: o.threads })),
    log: { level: o.logLevel, write: line => void log.write(line) },
    ...(silero && { silero }),
  })
  const url = await whisper.service.listen(config.server)
  o.print(`${url} listens`)
  process.send?.({ url })
  const readiness = await whisper.model.selfTest()
  o.print(readiness.ready ? `ready: ${whisper.model.title}` : `not ready: ${readiness.reason}. ${readiness.hint}`)
  await untilStopped(o)
  const transcriptions = whisper.transcriptions()
  const lost = await whisper.close(graceMs)
  log.end()
  await once(log, 'finish')
  return { url, readiness: whisper.model.readiness, device: whisper.model.title, transcriptions, lost }
}
