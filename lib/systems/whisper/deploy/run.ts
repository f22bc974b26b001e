/**
 * Puts an installation together for a runbook: the target, its configuration, and the steps that were asked for.
 */
import { usageError } from '../../../base/errors.ts'
import { projectRoot } from '../../../base/version.ts'
import { applySteps, type ApplyOptions, type Step, type StepResult } from '../../../deploy/steps.ts'
import { openTarget, pathIn, type Target } from '../../../deploy/target.ts'
import { thisMachine } from '../../../doctor/machine.ts'
import { hailortFact } from '../../../doctor/probe/libraries.ts'
import { readFile } from '../../../host/files.ts'
import type { Sh } from '../../../host/process/sh.ts'
import type { ServiceConfig } from '../service-config.ts'
import { storeFolder } from '../store.ts'
import { adaptHailoApps, hailoAppsSteps } from './hailo-apps.ts'
import { apiSteps } from './api-check.ts'
import { configOf, installSteps, uninstallSteps } from './install.ts'
import { paths } from './layout.ts'
import { modelStep } from './model.ts'
import { verifySteps } from './verify.ts'
import type { HailoLibrary } from './preflight.ts'
import { runbookCommand } from '../../../host/typescript.ts'
import { shippedSpeech } from '../shipped-speech.ts'

/** The runbook's inputs, and its shell. */
export interface InstallationOptions {
  readonly root: string
  readonly uninstall: boolean
  readonly warmup: boolean
  /** Written into a new YAML; one that is there keeps its own. */
  readonly model: string | undefined
  readonly models: string | undefined
  readonly hailoApps: string | undefined
  readonly healthSeconds: number
  readonly sh: Sh
}

/** What can be taken step by step. */
export interface Installation {
  readonly config: ServiceConfig
  take(options?: ApplyOptions): Promise<StepResult[]>
}

/**
 * A target whose commands run in sight of the runbook.
 *
 * @throws {RunbookError} usage for a root that is not absolute
 */
export function targetThrough(sh: Sh, root: string): Target {
  const quiet = sh({ nothrow: true, reads: true })
  return openTarget({
    root,
    async run(argv) {
      const { exitCode, stdout, stderr } = await quiet`${argv}`
      return { exitCode, stdout, stderr }
    },
  })
}

/**
 * The installation that was asked for.
 *
 * @throws {RunbookError} usage for a configuration with a mistake
 */
export async function openInstallation(o: InstallationOptions): Promise<Installation> {
  const target = targetThrough(o.sh, o.root)
  const config = await configOf(target, o.model)
  if (o.model !== undefined && o.model !== config.model.name) {
    throw usageError(
      `Cannot install the model "${o.model}": ${paths.yaml} names ${config.model.name}`,
      `edit model.name in ${pathIn(target, paths.yaml)}`,
    )
  }
  return { config, take: async options => await withSteps(target, config, o, steps => applySteps(steps, options)) }
}

async function withSteps(
  target: Target,
  config: ServiceConfig,
  o: InstallationOptions,
  work: (steps: readonly Step[]) => Promise<StepResult[]>,
): Promise<StepResult[]> {
  if (o.uninstall) return await work(uninstallSteps(target))
  const adapted = o.hailoApps === undefined ? null : adaptHailoApps(o.hailoApps)
  const model = adapted
    ? hailoAppsSteps(target, { adapted: adapted.folder, model: config.model.name })
    : [modelStep(target, { model: config.model.name, store: o.models ?? storeFolder() })]
  const steps = installSteps(target, {
    config,
    nodeVersion: process.version,
    library: hailoLibrary,
    project: projectRoot,
    node: process.execPath,
    model,
    warmup: o.warmup,
    healthTimeoutMs: o.healthSeconds * 1000,
  })
  try {
    return await work(steps)
  } finally {
    adapted?.remove()
  }
}

async function hailoLibrary(): Promise<HailoLibrary> {
  const { status, state, fix } = await hailortFact(thisMachine())
  return { found: status === 'ok', says: state, hint: fix ?? runbookCommand('runbooks/doctor.ts', ['--need', 'hailo']) }
}

/** What is verified. */
export interface VerificationOptions {
  /** Only this service's answers; the installation too where undefined. */
  readonly url: string | undefined
  readonly root: string
  readonly wav: string | undefined
  readonly apiKey: string | undefined
  /** Seconds for one answer. */
  readonly timeout: number
  readonly sh: Sh
}

/**
 * A function that looks at everything and changes nothing.
 * @throws {RunbookError} usage for a configuration with a mistake; blocked for an absent recording
 */
export async function openVerification(
  o: VerificationOptions,
): Promise<(options: ApplyOptions) => Promise<StepResult[]>> {
  const target = targetThrough(o.sh, o.root)
  const config = o.url === undefined ? await configOf(target) : null
  const wav = readFile(o.wav ?? shippedSpeech())
  const api = apiSteps({
    url: (o.url ?? `http://127.0.0.1:${config!.server.port}`).replace(/\/+$/, ''),
    model: config?.model.name,
    apiKey: o.apiKey ?? config?.server.api_keys[0],
    wav,
    timeoutMs: o.timeout * 1000,
  })
  const isAsked = config === null || target.isLive
  const steps = [...(config ? verifySteps(target, config) : []), ...(isAsked ? api : [])]
  return async options => await applySteps(steps, { ...options, keepGoing: true })
}
