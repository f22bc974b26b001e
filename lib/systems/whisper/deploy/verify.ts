/**
 * Looks whether an installed Whisper service is whole: unit, files, owners, model, memory and log. Changes nothing.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { RunbookError } from '../../../base/errors.ts'
import { fileStep, folderStep } from '../../../deploy/files.ts'
import { holds, notHere, type Finding, type Step, type StepContext } from '../../../deploy/steps.ts'
import { pathIn, type Target } from '../../../deploy/target.ts'
import { renderConfig, type ServiceConfig } from '../service-config.ts'
import { codeFolder, paths, serviceName, serviceOwner, stateFolder, unitName } from './layout.ts'
import { limitsText, unitText } from './unit.ts'
import { runbookCommand } from '../../../host/typescript.ts'

const failed = (message: string, hint: string) => new RunbookError('fail', message, hint)
const install = `sudo ${runbookCommand('runbooks/whisper-install.ts')}`

/** A step of an installation as a look: what it would change is a failure. */
function asLook(step: Step): Step {
  return {
    name: step.name,
    async check(context: StepContext): Promise<Finding> {
      const finding = await step.check(context)
      if (finding.state !== 'differs') return finding
      throw failed(`Cannot accept "${step.name}": ${finding.found}`, install)
    },
    apply: () => {},
  }
}

/** Every look at the machine, in order; the service's answers are `apiSteps`. */
export function verifySteps(target: Target, config: ServiceConfig): Step[] {
  const look = (name: string, check: Step['check']): Step => ({ name, check, apply: () => {} })
  const root = { mode: 0o755, owner: 'root:root' }
  const state = { mode: 0o750, owner: serviceOwner }
  const files = [
    folderStep(target, codeFolder, root),
    folderStep(target, stateFolder, { mode: 0o755, owner: serviceOwner }),
    ...[paths.resources, paths.hailoModels, paths.cache].map(path => folderStep(target, path, state)),
    fileStep(target, paths.json, { content: renderConfig(config), mode: 0o640, owner: `root:${serviceName}` }),
    fileStep(target, paths.unit, { content: unitText(), mode: 0o644, owner: 'root:root' }),
    fileStep(target, paths.limits, { content: limitsText(config), mode: 0o644, owner: 'root:root' }),
  ]
  return [
    look(`${unitName} enabled`, () => stateOf(target, 'is-enabled', 'enabled')),
    look(`${unitName} active`, () => stateOf(target, 'is-active', 'active')),
    ...files.map(asLook),
    look(`file ${paths.yaml}`, () => {
      if (existsSync(pathIn(target, paths.yaml))) return holds('there')
      throw failed(`Cannot find "${paths.yaml}": it is absent`, install)
    }),
    look('model files', () => modelFinding(target)),
    look('memory', () => memoryFinding(target, config)),
    look('log', () => logFinding(target)),
  ]
}

async function stateOf(target: Target, verb: string, wanted: string): Promise<Finding> {
  if (!target.isLive) return notHere('this root has no running manager')
  const state = (await target.run(['systemctl', verb, unitName])).stdout.trim()
  if (state === wanted) return holds(state)
  throw failed(`Cannot accept "${unitName}": it is ${state || 'not known'}`, `systemctl status ${unitName}`)
}

/** HEFs directly in the folder, or an exported model below the resources. */
function modelFinding(target: Target): Finding {
  const hefs = filesIn(pathIn(target, paths.hailoModels)).filter(name => name.endsWith('.hef'))
  const resources = pathIn(target, paths.resources)
  const onnx = existsSync(resources)
    ? readdirSync(resources, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.onnx'))
    : []
  if (hefs.length + onnx.length > 0) return holds([...hefs, ...onnx].slice(0, 4).join(', '))
  const elsewhere = filesIn(pathIn(target, '/usr/local/hailo/resources/models/hailo10h'))
  const hint = elsewhere.some(name => name.endsWith('.hef'))
    ? `cp /usr/local/hailo/resources/models/hailo10h/*.hef ${paths.hailoModels}`
    : install
  throw failed(
    `Cannot find a model: there is no .hef in ${paths.hailoModels}, and no .onnx in ${paths.resources}`,
    hint,
  )
}

const filesIn = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : [])

async function memoryFinding(target: Target, { resource_limits: limits }: ServiceConfig): Promise<Finding> {
  if (!target.isLive) return notHere('this root has no running manager')
  const { stdout } = await target.run(['systemctl', 'show', '--property=MemoryCurrent', unitName])
  const used = Number(/^MemoryCurrent=(\d+)$/m.exec(stdout)?.[1])
  const most = bytesOf(limits.memory_max)
  if (!Number.isFinite(used) || most === null) return notHere(`systemd tells no memory (${stdout.trim() || 'nothing'})`)
  const said = `${Math.round(used / 2 ** 20)} MiB of ${limits.memory_max}`
  if (used <= most) return holds(said)
  throw failed(
    `Cannot accept the memory of "${unitName}": ${said}`,
    `raise resource_limits.memory_max in ${paths.yaml}`,
  )
}

function bytesOf(text: string): number | null {
  const found = /^(\d+)([KMGT]?)$/.exec(text)
  return found ? Number(found[1]) * 1024 ** ' KMGT'.indexOf(found[2] || ' ') : null
}

/** The service logs one JSON object a line, into its newest run and, through systemd, into the journal. */
function logFinding(target: Target): Finding {
  const link = join(pathIn(target, paths.runs), 'latest/service.log')
  if (!existsSync(link)) {
    if (!target.isLive) return notHere('this root has no running service')
    throw failed(`Cannot find the log of "${unitName}": ${paths.runs} holds none`, `journalctl -u ${unitName} -n 50`)
  }
  const lines = readFileSync(link, 'utf8').split('\n').filter(Boolean)
  const bad = lines.filter(line => /"level":(50|60)\b/.test(line))
  if (bad.length === 0) return holds(`${lines.length} lines, no error`)
  throw failed(
    `Cannot accept the log of "${unitName}": ${bad.length} errors, the last ${bad.at(-1)!.slice(0, 160)}`,
    `less ${link}`,
  )
}
