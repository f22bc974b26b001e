#!/usr/bin/env -S npx tsx
/**
 * Doctor: which of this machine's questions can be answered?
 *
 * Looks at node, packages, native libraries, devices, drivers, permissions and vendors' programs, and says of each that
 * it is ok, missing (with what installs it) or broken (with the fix). Native libraries are opened in a child process,
 * so that one that crashes is a line and not the end. Only what the main job needs is a gate, unless `--need` asks for
 * a device or a compiler: then also that the vendor's headers, where they are, agree with the tables that the bindings
 * were made from. Nothing here needs root, and nothing is changed.
 *
 *   npx tsx runbooks/doctor.ts
 *   npx tsx runbooks/doctor.ts --need hailo
 *   npx tsx runbooks/doctor.ts --need dfc --dfc docker:hailo/dfc:3.33
 *   npx tsx runbooks/doctor.ts --all
 */
import { dirname } from 'node:path'
import { thisMachine, type Machine } from '../lib/doctor/machine.ts'
import { choice, runbook, text, toggle } from '../lib/notebook/run/runbook.ts'
import { table } from '../lib/notebook/display/show.ts'
import { runbookCommand } from '../lib/host/typescript.ts'

/**
 * What can be asked of a machine, each with the command that answers it.
 *
 * @param hef a model that was compiled here, as a shell takes it; `winner.hef` stands for one's own where there is none
 */
export async function questions(hef: string | null) {
  const { questionsOf } = await import('../lib/doctor/questions.ts')
  const infer = runbookCommand('runbooks/monolithic-infer.ts')
  return questionsOf({
    main: runbookCommand('runbooks/monolithic-sweep.ts'),
    dfc: runbookCommand('runbooks/monolithic-sweep.ts', ['--toolchain', 'dfc']),
    hailo: `${infer} --backend hailort --model ${hef ?? 'winner.hef'}`,
    nvidia: `${infer} --backend tensorrt --model winner.plan`,
  })
}

const inputs = {
  need: choice(['hailo', 'nvidia', 'dfc'], {
    optional: true,
    help: 'what must work here besides the main job: missing is BLOCKED, broken is FAIL',
  }),
  dfc: text({
    optional: true,
    help: 'where the Dataflow Compiler is: its hailo program, its virtualenv, or docker:IMAGE',
  }),
  all: toggle({ help: 'list every look, not only what stands against the question' }),
}

/** The doctor of a machine; a test gives its own. */
export const doctorOf = (machine: () => Machine) =>
  runbook(
    import.meta,
    {
      asks: "which of this machine's questions can be answered?",
      inputs,
      steps: async () => {
        const { checks } = await import('../lib/doctor/examine.ts')
        return checks.map(({ name }) => `look at ${name}`)
      },
    },
    async ({ inputs, run, cell, gate, line, mark, hint, next, stamp }) => {
      const { examine } = await import('../lib/doctor/examine.ts')
      const { factLines } = await import('../lib/doctor/fact.ts')
      const { factsAgainst, judge, questionLine } = await import('../lib/doctor/questions.ts')
      const { compiledHef } = await import('../lib/doctor/compiled-here.ts')

      const facts = await cell('Look at this machine', async ({ show, advance }) => {
        const found = await examine({ ...machine(), dfc: inputs.dfc }, { looked: advance })
        show(
          table(
            found.map(({ name, status, state, fix }) => ({ status, name, state, fix })),
            { title: 'facts' },
          ),
        )
        return found
      })
      const answers = await cell('See which questions it can answer', async ({ show }) => {
        const hef = compiledHef({ folder: dirname(run.folder), shown: dirname(run.shown), by: 'monolithic-sweep' })
        const judged = (await questions(hef)).map(question => judge(question, facts))
        show(
          table(
            judged.map(({ words, status, lacking, command }) => ({
              question: words,
              status,
              lacking: lacking.map(fact => fact.name),
              command,
            })),
          ),
        )
        return judged
      })

      const wanted = answers.filter(({ need }) => need === 'main' || need === inputs.need)
      const told = inputs.all ? facts : factsAgainst(facts, wanted)
      for (const words of factLines(told)) line(words)
      for (const answer of answers) line(questionLine(answer))
      if (told.length < facts.length) line(`${facts.length - told.length} more looks are in the report, or with --all`)
      for (const { name, status, state } of facts.filter(({ needs }) =>
        wanted.some(({ need }) => needs.includes(need)),
      )) {
        if (status === 'missing') gate.blocked(name, state)
        else gate(name, status, { equals: 'ok' }, { note: state })
      }
      const count = (status: string) => String(facts.filter(fact => fact.status === status).length)
      for (const status of ['ok', 'missing', 'broken']) mark(status, count(status))
      stamp({ facts })
      const fix = wanted.flatMap(({ lacking }) => lacking)[0]?.fix
      next({ pass: wanted.at(-1)!.command })
      if (fix) hint({ fail: fix, blocked: fix })
    },
  )

export default doctorOf(thisMachine)
