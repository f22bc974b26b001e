/**
 * Runs a sidecar for a runbook: starts it, waits for a signal or the time, drains it, and counts.
 */
import { createWriteStream } from 'node:fs'
import { once } from 'node:events'
import type { BackendName } from '../../../infer/options.ts'
import { untilStopped } from '../../../serve/until.ts'
import { edgeinferContract } from '../contract.ts'
import { defaultModel, homeFolder } from '../home.ts'
import { Sidecar, type SidecarOptions } from './sidecar.ts'

/** The runbook's inputs. */
export interface ServeInputs {
  readonly home: string
  readonly model: string | undefined
  readonly backend: BackendName
  readonly motifs: number
  readonly realModel: boolean
  readonly host: string
  readonly port: number
  readonly logLevel: string
  readonly workers: number | undefined
  readonly telemetry: boolean
  readonly streamShare: number
  readonly shadow: string | undefined
  readonly shadowShare: number
  readonly for: number | undefined
}

/** How a run of the sidecar went. */
export interface ServeOutcome {
  readonly answered: number
  readonly refused: number
  /** Answers with status 500: bugs. */
  readonly bugs: number
  /** Accepted requests that the drain cut off. */
  readonly lost: number
  readonly isStub: boolean
  readonly device: string
  readonly cosineMin: number
  readonly cosineBound: number
  readonly status: Readonly<Record<string, unknown>>
}

/** Options of a sidecar from the runbook's inputs. */
export const sidecarOptions = (inputs: ServeInputs, write: (line: string) => void): SidecarOptions => ({
  host: inputs.host,
  port: inputs.port,
  modelPath: () => inputs.model ?? defaultModel(inputs.home, inputs.backend),
  backend: inputs.backend,
  useRealModel: inputs.realModel,
  motifs: inputs.motifs,
  slots: inputs.workers,
  telemetryFolder: inputs.telemetry ? homeFolder(inputs.home, 'telemetry') : undefined,
  streamShare: inputs.streamShare,
  shadow: inputs.shadow === undefined ? undefined : { path: inputs.shadow, backend: 'auto', share: inputs.shadowShare },
  log: { level: inputs.logLevel, write },
})

/** Serve until the signal or the time, then drain. */
export async function serveUntil(
  inputs: ServeInputs,
  o: { signal: AbortSignal; print: (line: string) => void; logFile: string },
): Promise<ServeOutcome> {
  const log = createWriteStream(o.logFile)
  const sidecar = await Sidecar.start(sidecarOptions(inputs, line => void log.write(line)))
  const reason = sidecar.notReady()
  o.print(`${sidecar.url} ${reason === null ? `ready: ${sidecar.desk.model}` : `not ready: ${reason}`}`)
  process.send?.({ url: sidecar.url })
  const onHangup = () => void sidecar.life?.load()
  process.on('SIGHUP', onHangup)
  try {
    await untilStopped({ seconds: inputs.for, signal: o.signal })
  } finally {
    process.off('SIGHUP', onHangup)
  }
  const status = sidecar.status()
  const test = sidecar.life?.state.selfTest
  const device = sidecar.life?.state.engine?.device ?? 'none'
  const { counts } = sidecar
  const lost = await sidecar.drain(edgeinferContract().service.drainMs)
  log.end()
  await once(log, 'finish')
  return {
    ...counts(),
    lost,
    isStub: sidecar.isStub,
    device,
    cosineMin: test?.cosineMin ?? Number.NaN,
    cosineBound: test?.bound ?? 1,
    status,
  }
}
