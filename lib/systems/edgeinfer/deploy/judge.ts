/**
 * Judges the rendered files as a reader would, and writes them where they are wanted.
 */
import { resolve } from 'node:path'
import { checkCompose } from '../../../deploy/compose.ts'
import { fileStep } from '../../../deploy/files.ts'
import { applySteps, type StepResult } from '../../../deploy/steps.ts'
import { openTarget } from '../../../deploy/target.ts'
import { edgeinferContract } from '../contract.ts'

/** A fact that must hold. */
export interface Fact {
  readonly fact: string
  readonly holds: boolean
}

/**
 * What must be true of a deployment, from the texts themselves.
 *
 * @throws RunbookError usage when the Compose file does not hold
 */
export async function judgeDeployment(files: Readonly<Record<string, string>>): Promise<Fact[]> {
  const { service, names } = edgeinferContract()
  const compose = await checkCompose(files['docker-compose.yml'] ?? '', 'docker-compose.yml')
  const main = compose.services[service.name]
  const stub = compose.services[`${service.name}-stub`]
  const isReadOnly = (volumes: readonly string[] = []) =>
    volumes.some(volume => volume.includes(`/${names.folders.artifacts}:`) && volume.endsWith(':ro'))
  return [
    { fact: `a service named ${service.name}`, holds: main !== undefined },
    { fact: 'the device is mapped', holds: (main?.devices?.length ?? 0) === 1 },
    { fact: 'artifacts are read-only', holds: isReadOnly(main?.volumes) },
    {
      fact: `port ${service.port} is published`,
      holds: main?.ports?.some(port => port.endsWith(`:${service.port}`)) ?? false,
    },
    { fact: 'a healthcheck', holds: main?.healthcheck !== undefined },
    { fact: 'limits of memory and CPU', holds: main?.deploy !== undefined },
    {
      fact: 'the stub needs no device and says that it is one',
      holds: stub?.devices === undefined && stub?.environment?.USE_REAL_MODEL === 'false',
    },
    {
      fact: 'the container stops after the drain',
      holds: Number.parseInt(main?.stop_grace_period ?? '0', 10) * 1000 > service.drainMs,
    },
    { fact: 'the image runs as an ordinary user', holds: /^USER node$/m.test(files.Dockerfile ?? '') },
    { fact: 'a rollback is written down', holds: /roll back/.test(files['rollout.md'] ?? '') },
  ]
}

/** Write the files into a folder, each only where it differs. */
export function writeDeployment(folder: string, files: Readonly<Record<string, string>>): Promise<StepResult[]> {
  const target = openTarget({ run: () => Promise.reject(new Error('no step of a deployment runs a program')) })
  const steps = Object.entries(files).map(([name, content]) =>
    fileStep(target, resolve(folder, name), { content, mode: 0o644 }),
  )
  return applySteps(steps)
}
