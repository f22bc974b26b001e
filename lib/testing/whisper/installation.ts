/**
 * A folder into which a test installs the Whisper service: account files, a checkout, and a stand-in service manager.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { openTarget } from '../../deploy/target.ts'
import { configOf, type InstallOptions } from '../../systems/whisper/deploy/install.ts'
import { paths } from '../../systems/whisper/deploy/layout.ts'
import { defaultYaml } from '../../systems/whisper/service-config.ts'
import { freePort, serviceManager } from '../deploy/service-manager.ts'

/** A root with account files, a checkout of three files, and a YAML with a port that is free. */
export async function installation(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), 'install-'))
  const project = mkdtempSync(join(tmpdir(), 'checkout-'))
  for (const name of ['etc/hailo', 'dev']) mkdirSync(join(root, name), { recursive: true })
  for (const name of ['passwd', 'group']) writeFileSync(join(root, 'etc', name), '')
  for (const name of ['lib', '.git', 'module_runs']) mkdirSync(join(project, name))
  writeFileSync(join(project, 'lib/a.ts'), 'export {}')
  writeFileSync(join(project, 'lib/a.test.ts'), '')
  writeFileSync(join(project, '.git/HEAD'), 'x')
  const port = await freePort()
  writeFileSync(join(root, paths.yaml), defaultYaml().replace('11437', String(port)))
  const manager = serviceManager(port)
  t.after(async () => {
    await manager[Symbol.asyncDispose]()
    for (const folder of [root, project]) rmSync(folder, { recursive: true, force: true })
  })
  const target = openTarget({ root, isLive: true, run: manager.run })
  return { root, project, target, manager }
}
/** What `installation` makes. */
export type Scene = Awaited<ReturnType<typeof installation>>

/** Options of an installation of the scene, without a device and without a model. */
export async function installOptions(
  { target, project }: Scene,
  o: Partial<InstallOptions> = {},
): Promise<InstallOptions> {
  return {
    config: await configOf(target),
    nodeVersion: 'v20.20.2',
    library: () => ({ found: false, says: 'not found', hint: 'install it' }),
    project,
    node: join(project, 'lib/a.ts'),
    model: [],
    warmup: false,
    healthTimeoutMs: 20_000,
    ...o,
  }
}
