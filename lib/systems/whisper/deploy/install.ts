/**
 * The steps that install the Whisper service, and those that take it away again.
 *
 * A second installation changes nothing; one after an edit of the YAML or of the code changes only what follows from it
 * and restarts the service. Removal keeps the YAML, because people wrote it.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { deviceGroupStep, groupStep, noGroupStep, noUserStep, userStep } from '../../../deploy/accounts.ts'
import { absentStep, fileStep, folderStep, treeStep } from '../../../deploy/files.ts'
import type { Step } from '../../../deploy/steps.ts'
import { enabledStep, healthStep, reloadStep, runningStep, stoppedStep } from '../../../deploy/systemd.ts'
import { pathIn, type Target } from '../../../deploy/target.ts'
import { defaultYaml, parseServiceYaml, renderConfig, type ServiceConfig } from '../service-config.ts'
import { codeFolder, paths, serviceName, serviceOwner, stateFolder, unitName } from './layout.ts'
import { deviceNodeOf, preflightSteps, type PreflightOptions } from './preflight.ts'
import { limitsText, unitText } from './unit.ts'

/** What an installation is made from. */
export interface InstallOptions extends PreflightOptions {
  /** The project's folder: a checkout with its `node_modules`. */
  readonly project: string
  /** The node program to copy. */
  readonly node: string
  /** Steps that bring the model: from the contract's table, or through hailo-apps. */
  readonly model: readonly Step[]
  /** Ask `/health/ready` at the end, which loads the model. */
  readonly warmup: boolean
  /** How long `/health` may take to answer after the start, ms. */
  readonly healthTimeoutMs: number
}

/** What of a checkout is not needed to run: history, runs, and ONNX Runtime for other systems. */
const notCopied = (path: string): boolean =>
  /^(\.git|module_runs|\.ci)(\/|$)/.test(path) ||
  path.endsWith('.test.ts') ||
  /^node_modules\/onnxruntime-node\/bin\/napi-v\d+\/(darwin|win32)(\/|$)/.test(path) ||
  /^node_modules\/(\.bin|\.cache|typescript|@typescript|oxlint|@oxlint|oxfmt|@oxfmt|playwright-core)(\/|$)/.test(path)

/**
 * The configuration of a target: of its own YAML where there is one, else the default.
 *
 * @throws {RunbookError} usage
 */
export async function configOf(target: Target, model?: string): Promise<ServiceConfig> {
  const path = pathIn(target, paths.yaml)
  return await parseServiceYaml(existsSync(path) ? readFileSync(path, 'utf8') : defaultYaml(model), paths.yaml)
}

/** Every step of an installation, in order. */
export function installSteps(target: Target, o: InstallOptions): Step[] {
  const node = deviceNodeOf(target)
  const restartAfter = [paths.node, paths.json, paths.unit, paths.limits].map(path => `file ${path}`)
  const base = `http://127.0.0.1:${o.config.server.port}`
  const healthy = { unit: unitName, timeoutMs: o.healthTimeoutMs }
  return [
    ...preflightSteps(target, o),
    groupStep(target, serviceName),
    userStep(target, serviceName, { home: stateFolder }),
    ...(node === null ? [] : [deviceGroupStep(target, serviceName, node)]),
    ...folders(target),
    fileStep(target, paths.node, { content: () => readFileSync(o.node), mode: 0o755, owner: 'root:root' }),
    treeStep(target, paths.app, { from: o.project, owner: 'root:root', skip: notCopied }),
    fileStep(target, paths.yaml, {
      content: defaultYaml(o.config.model.name),
      mode: 0o644,
      owner: 'root:root',
      ifAbsent: true,
    }),
    fileStep(target, paths.json, { content: renderConfig(o.config), mode: 0o640, owner: `root:${serviceName}` }),
    ...o.model,
    fileStep(target, paths.unit, { content: unitText(), mode: 0o644, owner: 'root:root' }),
    fileStep(target, paths.limits, { content: limitsText(o.config), mode: 0o644, owner: 'root:root' }),
    reloadStep(target, [`file ${paths.unit}`, `file ${paths.limits}`]),
    enabledStep(target, unitName),
    runningStep(target, unitName, [...restartAfter, `tree ${paths.app}`, ...o.model.map(step => step.name)]),
    healthStep(target, `${base}/health`, healthy),
    ...(o.warmup ? [healthStep(target, `${base}/health/ready`, healthy)] : []),
  ]
}

function folders(target: Target): Step[] {
  const code = { mode: 0o755, owner: 'root:root' }
  const state = { mode: 0o750, owner: serviceOwner }
  return [
    folderStep(target, codeFolder, code),
    folderStep(target, stateFolder, { mode: 0o755, owner: serviceOwner }),
    ...[paths.resources, dirname(paths.hailoModels), paths.hailoModels, paths.models, paths.cache, paths.runs].map(
      path => folderStep(target, path, state),
    ),
    folderStep(target, dirname(paths.yaml), code),
    folderStep(target, dirname(paths.json), code),
  ]
}

/** Every step of a removal, in order. The YAML stays. */
export function uninstallSteps(target: Target): Step[] {
  return [
    stoppedStep(target, unitName),
    enabledStep(target, unitName, false),
    absentStep(target, paths.unit),
    absentStep(target, dirname(paths.limits)),
    reloadStep(target, [`no ${paths.unit}`, `no ${dirname(paths.limits)}`]),
    absentStep(target, codeFolder),
    absentStep(target, dirname(paths.json)),
    absentStep(target, stateFolder),
    noUserStep(target, serviceName),
    noGroupStep(target, serviceName),
  ]
}
