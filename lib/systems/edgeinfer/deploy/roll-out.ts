/**
 * Brings a new model into service with Docker Compose: beside the old one first, and back when it does not hold.
 *
 * A container is healthy once its sidecar is ready, which it is once the model has answered golden windows as its
 * reference did. So a canary that becomes healthy has a model that works on this board. Then its artifacts take the
 * place of those in service, which are kept until the service is healthy with the new ones.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { blockedError } from '../../../base/errors.ts'
import type { CommandRunner } from '../../../deploy/target.ts'
import { edgeinferContract } from '../contract.ts'

const { service, names } = edgeinferContract()
const canaryName = `${service.name}-canary`
const hefName = names.onnx.replace('.onnx', '.hef')

/** How it ended. `started`: there was nothing to compare with. */
export type RollOutEnd = 'started' | 'promoted' | 'canary refused' | 'rolled back' | 'stopped'

/** One command or change, and whether it went well. */
export interface RollOutRow {
  readonly step: string
  readonly did: string
  readonly ok: boolean
}

/** What was done, in order. */
export interface RollOut {
  readonly end: RollOutEnd
  readonly rows: readonly RollOutRow[]
}

/**
 * Build, start and promote.
 *
 * @param o.folder where the deployment was written, with `artifacts/`, and `artifacts/canary/` for a new model
 * @param o.run runs a program in that folder
 * @throws RunbookError blocked when there is no model to start, or no Docker Compose
 */
export async function rollOut(o: { folder: string; run: CommandRunner }): Promise<RollOut> {
  const artifacts = join(o.folder, names.folders.artifacts)
  const hasCanary = existsSync(join(artifacts, 'canary', hefName))
  const hasModel = existsSync(join(artifacts, hefName))
  if (!hasCanary && !hasModel) {
    throw blockedError(
      `Cannot start "${service.name}": there is no ${hefName} in ${artifacts}, nor in its folder canary`,
      'compile one: edgeinfer-compile.ts',
    )
  }
  const { exitCode, stderr } = await o.run(['docker', 'compose', 'version'])
  if (exitCode !== 0) {
    const said = stderr.trim().split('\n').at(-1) || `it left with ${exitCode}`
    throw blockedError(`Cannot roll out with "docker compose": ${said}`, 'install Docker with its plugin compose')
  }
  const steps = new Steps(o.run)
  const end = (how: RollOutEnd): RollOut => ({ end: how, rows: steps.rows })
  if (!(await steps.compose('check the file', 'device', ['config', '--quiet']))) return end('stopped')
  if (!(await steps.compose('build', 'device', ['build', service.name]))) return end('stopped')
  if (hasCanary) {
    const isHealthy = await steps.compose('canary', 'canary', up(canaryName))
    await steps.compose('canary away', 'canary', ['rm', '--stop', '--force', canaryName])
    if (!isHealthy) return end('canary refused')
    exchange(artifacts, steps)
  }
  if (await steps.compose('service', 'device', up(service.name))) return end(hasCanary ? 'promoted' : 'started')
  if (!hasCanary || !restore(artifacts, steps)) return end('stopped')
  return end((await steps.compose('service as before', 'device', up(service.name))) ? 'rolled back' : 'stopped')
}

const up = (name: string) => ['up', '--detach', '--wait', '--force-recreate', name]

class Steps {
  readonly rows: RollOutRow[] = []
  readonly #run: CommandRunner

  constructor(run: CommandRunner) {
    this.#run = run
  }

  async compose(step: string, profile: string, words: readonly string[]): Promise<boolean> {
    const argv = ['docker', 'compose', '--profile', profile, ...words]
    const { exitCode, stderr } = await this.#run(argv)
    const ok = exitCode === 0
    const said = stderr.trim().split('\n').at(-1) ?? ''
    this.rows.push({ step, did: ok || said === '' ? argv.join(' ') : `${argv.join(' ')}: ${said}`, ok })
    return ok
  }

  did(step: string, did: string): void {
    this.rows.push({ step, did, ok: true })
  }
}

/** Files that lie in a folder of artifacts, without the folders in it. */
const filesIn = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap(entry => (entry.isFile() ? [entry.name] : []))

/** Keep what is in service, and put the canary's files in its place. */
function exchange(artifacts: string, steps: Steps): void {
  const [canary, previous] = [join(artifacts, 'canary'), join(artifacts, 'previous')]
  rmSync(previous, { recursive: true, force: true })
  mkdirSync(previous)
  for (const name of filesIn(artifacts)) cpSync(join(artifacts, name), join(previous, name))
  for (const name of filesIn(canary)) cpSync(join(canary, name), join(artifacts, name))
  steps.did('promote', 'artifacts/canary is in artifacts, and what was there is in artifacts/previous')
}

/** Put back what was in service. Says whether there was anything. */
function restore(artifacts: string, steps: Steps): boolean {
  const previous = join(artifacts, 'previous')
  const names = filesIn(previous)
  if (!names.includes(hefName)) return false
  for (const name of filesIn(artifacts)) rmSync(join(artifacts, name))
  for (const name of names) cpSync(join(previous, name), join(artifacts, name))
  steps.did('roll back', 'artifacts/previous is in artifacts')
  return true
}
