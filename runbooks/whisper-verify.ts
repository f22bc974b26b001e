#!/usr/bin/env -S npx tsx
/**
 * Whisper verify: is the installed service whole, and does it answer as OpenAI's API says?
 *
 * Looks at everything and reports every failure, not the first alone: unit, files, owners, model, memory, log, and the
 * answers to health, models and one recording in all five formats. With `--url` it asks any service of that interface,
 * and looks at no machine.
 *
 *   sudo npx tsx runbooks/whisper-verify.ts
 *   npx tsx runbooks/whisper-verify.ts --url http://127.0.0.1:11437 --wav speech.wav
 */
import { file, number, runbook, secret, text } from '../lib/notebook/run/runbook.ts'
import { table } from '../lib/notebook/display/show.ts'
import { shownPath } from '../lib/host/files.ts'
import { runbookCommand } from '../lib/host/typescript.ts'
import { shippedSpeech } from '../lib/systems/whisper/shipped-speech.ts'

export default runbook(
  import.meta,
  {
    asks: "is the installed service whole, and does it answer as OpenAI's API says?",
    inputs: {
      url: text({ optional: true, help: 'ask this service alone; default: the one that is installed here' }),
      root: text({ default: '/', help: 'the folder that was installed into; absolute' }),
      wav: file({ optional: true, help: 'a recording with speech; default: a shipped one' }),
      apiKey: secret({ env: 'OPENAI_API_KEY', optional: true, help: 'sent as a Bearer key' }),
      timeout: number({ default: 60, min: 1, unit: 'seconds', help: 'for one answer' }),
    },
    steps: ({ url }) => [url === undefined ? 'look at the installation' : `ask ${url}`],
  },
  async ({ inputs, cell, gate, line, next, hint, sh }) => {
    const { openVerification } = await import('../lib/systems/whisper/deploy/run.ts')
    const { countSteps } = await import('../lib/deploy/steps.ts')
    const results = await cell('Look', async ({ print, show }) => {
      const verification = await openVerification({ ...inputs, sh })
      const done = await verification({
        onResult: ({ status, name, detail }) => print(`${status}  ${name}: ${detail}`),
      })
      show(
        table(
          done.map(({ name, status, detail, hint }) => ({ look: name, status, detail, hint })),
          { title: 'looks' },
        ),
      )
      return done
    })
    const counts = countSteps(results)
    for (const { name, detail, status } of results) if (status === 'failed') line(`failed: ${name}: ${detail}`)
    line(`Looks: ok=${counts.ok} ; failed=${counts.failed} ; not here=${counts['not here']}`)
    gate('looks that held', counts.ok, { atLeast: 1 })
    gate('looks that failed', counts.failed, { equals: 0 })
    const advice = results.find(({ status }) => status === 'failed')?.hint
    next({ pass: runbookCommand('runbooks/whisper-transcribe.ts', [shownPath(shippedSpeech())]) })
    if (advice) hint({ fail: advice })
  },
)
