#!/usr/bin/env -S npx tsx
/**
 * Shell: does a runbook that runs commands keep its promises?
 *
 * A runbook for the tests of `sh`: commands in a cell and outside one, a failure, and a dry run of the body.
 */
import { choice, runbook } from '../../notebook/run/runbook.ts'

export default runbook(
  import.meta,
  {
    asks: 'does a runbook that runs commands keep its promises?',
    inputs: { how: choice(['pass', 'fail', 'absent', 'outside'], { default: 'pass', help: 'how it shall end' }) },
    dryRun: 'body',
  },
  async ({ inputs, cell, gate, isDryRun, run, sh }) => {
    const kernel = await cell('Look', () => sh({ reads: true })`uname -s`.text())
    await cell('Change', async () => {
      await sh`echo made > ${run.path('made.txt')}`
      if (inputs.how === 'fail') await sh`echo "no room" >&2; exit 5`
      if (inputs.how === 'absent') await sh`rungbook-no-such-program`
    })
    if (inputs.how === 'outside') await sh`exit 6`
    gate('kernel is named', kernel.trim() !== '', { equals: true })
    if (!isDryRun) gate('changed', await sh`cat ${run.path('made.txt')}`.text(), { equals: 'made\n' })
  },
)
