/** Writes the text of `--help`: the question, every input with its variable and default, and the exit codes. */
import { runbookCommand } from '../../host/typescript.ts'
import { flagFromName } from './argv.ts'
import { runName } from '../run/run-folder.ts'
import { pattern, text, toggle, type Inputs } from './inputs.ts'

/** What every runbook takes besides its own inputs. */
export const commonInputs = {
  json: toggle({ help: 'stdout is one JSON document; the verdict goes to stderr' }),
  quiet: toggle({ help: 'no narrative on stderr' }),
  dryRun: toggle({ help: 'say what would be done, and do nothing' }),
  outDir: text({ env: 'MODULE_RUNS', default: 'module_runs', help: 'where run folders go' }),
  runTs: pattern(runName, {
    env: 'HAILO_RUN_TS',
    optional: true,
    expected: 'letters, digits, "_", "-" and "."',
    help: 'name of the run folder; default: the time',
  }),
} satisfies Inputs

const plain = {
  help: toggle({ help: 'this text' }),
  version: toggle({ help: 'the version of Rungbook' }),
} satisfies Inputs

/**
 * Flag name to whether it takes a value, for `parseArgv`.
 *
 * @throws RunbookError a plain Error when two inputs share a flag
 */
export function knownFlags(own: Inputs): Map<string, boolean> {
  const known = new Map<string, boolean>()
  for (const [name, spec] of [...Object.entries(own), ...Object.entries(commonInputs), ...Object.entries(plain)]) {
    const flag = spec.flag ?? flagFromName(name)
    if (known.has(flag)) throw new Error(`two inputs share --${flag}`)
    known.set(flag, spec.placeholder !== '')
  }
  return known
}

/** The text of `--help`. */
export function helpText(o: {
  file: string
  asks: string
  intro: string
  inputs: Inputs
  operand?: string | undefined
}): string {
  const operand = o.operand === undefined ? '' : ` ${o.inputs[o.operand]!.placeholder}…`
  const body = o.intro === '' ? o.asks : o.intro
  return [
    body,
    '',
    `Usage: ${runbookCommand(o.file)} [flags]${operand}`,
    ...section('Inputs', o.inputs),
    ...section('Every runbook', { ...commonInputs, ...plain }),
    '',
    'Exit codes: 0 PASS, 1 FAIL, 2 usage, 3 BLOCKED (something outside is absent), 70 bug, 130 interrupted.',
  ].join('\n')
}

function section(title: string, inputs: Inputs): string[] {
  const rows = Object.entries(inputs).map(([name, spec]) => ({
    left: `  ${flagText(name, spec)} ${spec.placeholder}`.trimEnd(),
    spec,
  }))
  if (rows.length === 0) return []
  const width = Math.min(34, Math.max(...rows.map(row => row.left.length)) + 2)
  return [
    '',
    `${title}:`,
    ...rows.map(({ left, spec }) => {
      const facts = [spec.env ? `env ${spec.env}` : '', defaultText(spec.fallback)].filter(Boolean).join(', ')
      const gap = left.length + 2 > width ? `\n${' '.repeat(width)}` : ' '.repeat(width - left.length)
      return `${left}${gap}${spec.help}${facts ? ` [${facts}]` : ''}`
    }),
  ]
}

/** A switch that is on by default is shown with the word that turns it off. */
function flagText(name: string, spec: Inputs[string]): string {
  return `--${spec.fallback === true ? '[no-]' : ''}${spec.flag ?? flagFromName(name)}`
}

function defaultText(fallback: unknown): string {
  if (fallback === undefined || fallback === false) return ''
  if (typeof fallback === 'number') return `default ${Number(fallback.toPrecision(4))}`
  return `default ${fallback === true ? 'on' : String(fallback)}`
}
