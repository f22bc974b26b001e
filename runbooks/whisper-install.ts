#!/usr/bin/env -S npx tsx
/**
 * Whisper install: is the service installed here just as it should be, and does a second run change nothing?
 *
 * Looks first and acts where something differs: accounts, folders, a copy of node and of this project, the YAML (only
 * where there is none) and the JSON made of it, the model, the unit with its limits. Then it starts the service and
 * waits until it answers. `--check-only` looks and changes nothing; `--uninstall` takes all away but the YAML.
 *
 *   sudo npx tsx runbooks/whisper-install.ts --model tiny.en
 *   sudo npx tsx runbooks/whisper-install.ts --check-only
 *   sudo npx tsx runbooks/whisper-install.ts --uninstall
 *   npx tsx runbooks/whisper-install.ts --root /tmp/image --dry-run
 */
import { folder, number, runbook, text, toggle } from '../lib/notebook/run/runbook.ts'
import { table } from '../lib/notebook/display/show.ts'
import { runbookCommand } from '../lib/host/typescript.ts'

export default runbook(
  import.meta,
  {
    asks: 'is the service installed here just as it should be, and does a second run change nothing?',
    inputs: {
      root: text({ default: '/', help: 'install into this folder instead of the machine; absolute' }),
      checkOnly: toggle({ help: 'look at everything, change nothing; what differs is a failure' }),
      uninstall: toggle({ help: 'stop the service and take it away; the YAML stays' }),
      warmup: toggle({ help: 'wait until the model is loaded, too' }),
      model: text({ optional: true, help: 'the model that a new YAML names; one that is there keeps its own' }),
      models: text({ env: 'WHISPER_MODELS', optional: true, help: "the folder of models; default: the user's cache" }),
      hailoApps: folder({ optional: true, help: 'a checkout of hailo-apps, which then fetches a HEF' }),
      healthSeconds: number({ default: 60, min: 1, unit: 'seconds', help: 'how long the service may take to answer' }),
    },
    steps: ({ root, uninstall }) => [`${uninstall ? 'remove from' : 'install into'} ${root}`],
  },
  async ({ inputs, cell, gate, line, next, sh, stamp, isDryRun }) => {
    const { openInstallation } = await import('../lib/systems/whisper/deploy/run.ts')
    const { countSteps } = await import('../lib/deploy/steps.ts')
    const installation = await cell('Read the configuration', () => openInstallation({ ...inputs, sh }))
    const { config } = installation
    stamp({ model: config.model.name })
    const looksOnly = inputs.checkOnly || isDryRun
    const results = await cell(
      inputs.uninstall ? 'Remove' : looksOnly ? 'Look' : 'Install',
      async ({ print, show }) => {
        const done = await installation.take({
          dryRun: looksOnly,
          onResult: ({ status, name }) => print(`${status}  ${name}`),
        })
        show(
          table(
            done.map(({ name, status, detail }) => ({ step: name, status, detail })),
            { title: 'steps' },
          ),
        )
        return done
      },
    )
    const counts = countSteps(results)
    const shown = ['ok', 'changed', 'would change', 'failed'] as const
    line(`Steps: ${shown.map(name => `${name}=${counts[name]}`).join(' ; ')}`)
    const broken = results.find(({ status }) => status === 'failed')
    if (broken?.error) throw broken.error
    gate('steps that failed', counts.failed, { equals: 0 })
    if (inputs.checkOnly) gate('steps that would change something', counts['would change'], { equals: 0 })
    if (!looksOnly) {
      const again = await cell('Look again', () => installation.take({ dryRun: true }))
      gate('steps that a second run would change', countSteps(again)['would change'], { equals: 0 })
    }
    next({
      pass: inputs.uninstall
        ? runbookCommand('runbooks/whisper-install.ts')
        : runbookCommand('runbooks/whisper-verify.ts'),
      fail: runbookCommand('runbooks/whisper-install.ts', ['--check-only']),
    })
  },
)
