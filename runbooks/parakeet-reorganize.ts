#!/usr/bin/env -S npx tsx
/**
 * Parakeet reorganization: where should things lie, and can they be moved without losing history?
 *
 * Moves are data. By default it only plans: `REPO_ORGANIZATION_PROPOSAL.md` lists the moves by phase, the files that
 * name the old places, and how each move is taken back. `--apply` makes the moves of one phase with git in a clean
 * tree; the commit is left to you.
 *
 *   npx tsx runbooks/parakeet-reorganize.ts --tree ~/trt-asr-engine
 *   npx tsx runbooks/parakeet-reorganize.ts --tree ~/trt-asr-engine --moves moves.json --apply --phase 1
 */
import { file, folder, number, runbook, toggle } from '../lib/notebook/run/runbook.ts'
import { shellWord } from '../lib/base/text.ts'
import { commandWith } from '../lib/notebook/inputs/command.ts'

const declared = {
  tree: folder({ optional: true, help: 'the tree to reorganize; default: this project' }),
  moves: file({ optional: true, help: 'the moves as JSON; default: those that the plan proposes' }),
  apply: toggle({ help: 'make the moves of one phase with git' }),
  phase: number({ default: 1, min: 1, integer: true, help: 'which phase --apply makes' }),
}

export default runbook(
  import.meta,
  {
    asks: 'where should things lie, and can they be moved without losing history?',
    inputs: declared,
    steps: inputs => [
      `plan the moves in ${inputs.tree ?? 'this project'}`,
      'write REPO_ORGANIZATION_PROPOSAL.md',
      ...(inputs.apply ? [`git mv what belongs to phase ${inputs.phase}`] : []),
    ],
  },
  async ({ inputs, run, cell, show, gate, next, hint, line, sh }) => {
    const { planMoves, proposal, readMoves, usualMoves } = await import('../lib/systems/parakeet/reorganize/moves.ts')
    const { scanFiles } = await import('../lib/systems/parakeet/inventory/scan.ts')
    const { table } = await import('../lib/notebook/display/show.ts')
    const { dirname, join } = await import('node:path')
    const { makeFolder } = await import('../lib/host/files.ts')
    const root = inputs.tree ?? join(import.meta.dirname, '..')
    const moves = inputs.moves === undefined ? usualMoves : readMoves(inputs.moves)
    const plan = await cell('Plan the moves', () => planMoves(root, moves, scanFiles(root)))
    show(
      table(
        plan.map(({ phase, from, to, problem, references }) => ({
          phase,
          from,
          to,
          named: references.length,
          problem,
        })),
      ),
    )
    run.write('REPO_ORGANIZATION_PROPOSAL.md', proposal(plan))
    run.write('moves.json', `${JSON.stringify(plan, null, 2)}\n`)
    line(`Proposal: ${run.shown}/REPO_ORGANIZATION_PROPOSAL.md`)
    if (plan.length === 0) gate.blocked('moves', 'no place that the moves name is in this tree: give --tree or --moves')
    gate('moves with something against them', plan.filter(({ problem }) => problem !== '').length, { equals: 0 })
    gate('moves that can be taken back', plan.length, { equals: new Set(plan.map(({ to }) => to)).size })

    if (inputs.apply) {
      const chosen = plan.filter(({ phase, problem }) => phase === inputs.phase && problem === '')
      await cell(`Make ${chosen.length} moves of phase ${inputs.phase}`, async ({ print }) => {
        const inTree = sh({ cwd: root })
        const dirty = (await inTree`git status --porcelain`).stdout.trim()
        gate('uncommitted changes before', dirty === '' ? 0 : dirty.split('\n').length, { equals: 0 })
        if (dirty !== '') return
        for (const { from, to } of chosen) {
          makeFolder(join(root, dirname(to)))
          await inTree`git mv ${from} ${to}`
          print(`${from} -> ${to}`)
        }
        const staged = (await inTree`git diff --cached --name-status -M100%`).stdout.trim().split('\n').filter(Boolean)
        gate('files that git takes for renamed', staged.filter(row => row.startsWith('R100')).length, {
          equals: staged.length,
        })
      })
    }
    const again = { declared, values: inputs, change: { apply: true } }
    next({
      pass: inputs.apply ? `git -C ${shellWord(root)} commit` : commandWith('runbooks/parakeet-reorganize.ts', again),
    })
    hint({
      pass: inputs.apply ? 'look at what is staged first' : 'read REPO_ORGANIZATION_PROPOSAL.md first',
      blocked: 'give --tree a git checkout that has what --moves names',
      fail: 'open REPO_ORGANIZATION_PROPOSAL.md: it says what stands against each move',
    })
  },
)
