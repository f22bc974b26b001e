#!/usr/bin/env -S npx tsx
/**
 * EdgeInfer deploy: would this sidecar run on a board, and how does it get there and back?
 *
 * Renders `docker-compose.yml` (service `hailo-inference`, the device, read-only artifacts, healthcheck, limits, a
 * canary and a stub), a Dockerfile and the steps of canary and rollback, and checks them. Nothing outside the run
 * folder is touched unless --apply is given: then files are written into --folder, each only where it differs. With
 * --roll-out Docker Compose builds and starts it there: a model in artifacts/canary runs beside the old one first, and
 * the old one comes back when the new one does not become healthy.
 *
 *   npx tsx runbooks/edgeinfer-deploy.ts
 *   npx tsx runbooks/edgeinfer-deploy.ts --apply --folder /srv/edgeinfer
 *   npx tsx runbooks/edgeinfer-deploy.ts --apply --roll-out --folder /srv/edgeinfer
 */
import { folder, number, runbook, text, toggle } from '../lib/notebook/run/runbook.ts'
import { edgeinferContract } from '../lib/systems/edgeinfer/contract.ts'

const { service, sha256 } = edgeinferContract()

export default runbook(
  import.meta,
  {
    asks: 'would this sidecar run on a board, and how does it get there and back?',
    inputs: {
      image: text({ default: `${service.name}:${service.version}`, help: "the image's name and tag" }),
      device: text({ default: '/dev/hailo0', help: 'the device to map into the container' }),
      port: number({
        default: service.port,
        min: 1,
        max: 65534,
        integer: true,
        help: "the host's port; the canary has the next",
      }),
      apply: toggle({ default: false, help: 'write the files into --folder' }),
      rollOut: toggle({ default: false, help: 'with --apply, start it there with docker compose: canary first' }),
      folder: folder({ default: '.', late: true, help: 'where --apply writes' }),
    },
    steps: ({ apply, folder, rollOut }) => [
      'render and check the files',
      ...(apply ? [`write them into ${folder}`] : []),
      ...(apply && rollOut ? ['build and start it with docker compose'] : []),
    ],
  },
  async ({ inputs, run, cell, show, gate, next, hint, line, sh, stamp }) => {
    const { rolloutSteps, renderDeployment } = await import('../lib/systems/edgeinfer/deploy/render.ts')
    const { judgeDeployment, writeDeployment } = await import('../lib/systems/edgeinfer/deploy/judge.ts')
    const { table } = await import('../lib/notebook/display/show.ts')
    stamp({ contract: sha256 })
    const files = await cell('Render', async ({ print }) => {
      const rendered = await renderDeployment(inputs)
      for (const [name, content] of Object.entries(rendered)) print(run.write(name, content))
      return rendered
    })
    const facts = await cell('Check', () => judgeDeployment(files))
    show(table(facts, { title: 'what the files say' }), table(rolloutSteps(inputs), { title: 'roll-out' }))
    for (const { fact, holds } of facts) gate(fact, holds, { equals: true })
    if (inputs.apply) {
      const results = await cell(`Write into ${inputs.folder}`, () => writeDeployment(inputs.folder, files))
      show(table(results, { title: 'steps' }))
      const failed = results.filter(({ status }) => status === 'failed').length
      gate('steps that failed', failed, { equals: 0 })
    }
    if (inputs.apply && inputs.rollOut) {
      const { rollOut } = await import('../lib/systems/edgeinfer/deploy/roll-out.ts')
      const docker = sh({ nothrow: true, cwd: inputs.folder, timeout: '60m' })
      const { end, rows } = await cell('Roll out', () => rollOut({ ...inputs, run: argv => docker`${argv}` }))
      show(table(rows, { title: 'roll-out, as it went' }))
      line(`Roll-out: ${end}`)
      gate('the new model serves', end === 'promoted' || end === 'started', { equals: true })
    }
    next({ pass: 'docker compose --profile stub up -d --wait' })
    hint({ fail: 'correct the flags' })
  },
)
