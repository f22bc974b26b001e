/**
 * A toolchain for tests of the ladder: it writes real files and takes its fate for each case from a table.
 *
 * It stands in for the interface only. The stand-in for a vendor's program is `hailo-program/program.ts`.
 */
import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { classifyFailure } from '../failure/classify.ts'
import { artifactOf } from '../compile/stage-command.ts'
import type { Artifact, Stage, StageOptions, Toolchain } from '../compile/toolchain.ts'

/**
 * What becomes of a case: it compiles, fails at a stage with a log, says that its time is up as soon as it compiles, or
 * hangs until its time is up or it is interrupted.
 */
export type Fate =
  | 'ok'
  | 'timeout'
  | 'hang'
  | { readonly stage: 'parse' | 'optimize' | 'compile'; readonly log: string }

/** A toolchain that gives each case its fate by tag, counts the stages it ran, and tells when one begins to hang. */
export function fakeToolchain(
  fates: Readonly<Record<string, Fate>>,
  onHang: () => void = () => {},
): Toolchain & { readonly ran: string[] } {
  const ran: string[] = []
  const stage =
    (name: 'parse' | 'optimize' | 'compile') =>
    async (_from: Artifact, o: StageOptions): Promise<Stage> => {
      const fate = fates[o.netName] ?? 'ok'
      ran.push(`${o.netName}:${name}`)
      appendFileSync(o.logFile, `[info] ${name}\n`)
      if ((fate === 'hang' || fate === 'timeout') && name === 'compile') {
        onHang()
        if (fate === 'hang') await sleep(o.timeoutMs, undefined, { signal: o.signal }).catch(() => {})
        const aborted = o.signal.aborted
        const failure = classifyFailure('[info] Starting Hailo allocation and compilation flow\n', {
          timedOut: !aborted,
          aborted,
        })
        return { ok: false, failure, stopped: aborted ? 'interrupted' : 'timeout', durationMs: 1 }
      }
      if (typeof fate === 'object' && fate.stage === name) {
        appendFileSync(o.logFile, fate.log)
        return { ok: false, failure: classifyFailure(fate.log, { exitCode: 1 }), stopped: null, durationMs: 1 }
      }
      const path = join(o.folder, `${o.netName}.${name}.out`)
      writeFileSync(path, `${name} of ${o.netName}`)
      return { ok: true, artifact: artifactOf(path), metrics: { [`${name}Metric`]: 1 }, durationMs: 1 }
    }
  return {
    name: 'host',
    product: 'onnx',
    calibrationLayout: 'nchw',
    ran,
    available: () => Promise.resolve({ found: true, where: 'here', version: '1', why: '', hint: '' }),
    parse: stage('parse'),
    optimize: stage('optimize'),
    compile: stage('compile'),
  }
}
