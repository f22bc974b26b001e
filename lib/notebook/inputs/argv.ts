/**
 * Splits a command line into flags.
 *
 * `--name value`, `--name=value`, `--switch`, `--no-switch`; underscores count as hyphens, as older commands wrote
 * them. An unknown flag is an error that names the nearest known one. What a value means is left to `inputs.ts`.
 */
import { usageError } from '../../base/errors.ts'
import { closest } from '../../base/text.ts'

/** Flag name without dashes to its text; a switch gives `1` or `0`. */
export type Flags = ReadonlyMap<string, string>

/** `hefPath` to `hef-path`. */
export const flagFromName = (name: string): string => name.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)

/**
 * Split a command line.
 * @param known flag name to whether it takes a value
 * @param operand the flag that words without dashes stand for; several are joined by a zero byte, which no word holds
 * @throws RunbookError usage for an unknown flag, a missing value, a flag given twice, or a word that is no flag
 */
export function parseArgv(argv: readonly string[], known: ReadonlyMap<string, boolean>, operand?: string): Flags {
  const flags = new Map<string, string>()
  const bare: string[] = []
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] === '-h' ? '--help' : argv[i]!
    // A dash alone stands for standard input.
    if ((!word.startsWith('-') || word === '-') && operand !== undefined) {
      bare.push(word)
      continue
    }
    if (!word.startsWith('--')) throw usageError(`Cannot use "${word}": it is not a flag`, 'see --help')
    const equals = word.indexOf('=')
    const name = word.slice(2, equals < 0 ? undefined : equals).replaceAll('_', '-')
    const negated = name.startsWith('no-') && known.get(name.slice(3)) === false
    const flag = negated ? name.slice(3) : name
    const takesValue = known.get(flag)
    if (takesValue === undefined) throw unknownFlag(name, [...known.keys()])
    if (flags.has(flag)) throw usageError(`Cannot use --${flag} twice`, `give --${flag} once`)
    if (equals >= 0 && negated) throw usageError(`Cannot use --${name} with a value`, `give --${name}, or --${flag}=0`)
    if (equals >= 0) flags.set(flag, word.slice(equals + 1))
    else if (!takesValue) flags.set(flag, negated ? '0' : '1')
    else {
      const value = argv[++i]
      if (value === undefined || value.startsWith('--'))
        throw usageError(`Cannot use --${flag}: it needs a value`, `give --${flag} <value>`)
      flags.set(flag, value)
    }
  }
  if (bare.length === 0) return flags
  if (flags.has(operand!)) throw usageError(`Cannot use --${operand} twice`, `give --${operand} once`)
  return flags.set(operand!, bare.join(operandSeparator))
}

/** Between several words without dashes. */
export const operandSeparator = '\0'

function unknownFlag(name: string, known: readonly string[]) {
  const near = closest(name, known)
  return usageError(`Cannot use --${name}: there is no such flag`, near ? `did you mean --${near}?` : 'see --help')
}

/** Whether a switch is on in a command line that may be malformed elsewhere. */
export const isSwitchedOn = (argv: readonly string[], flag: string): boolean =>
  argv.some(word => word === `--${flag}` || new RegExp(`^--${flag}=(1|true|yes|on)$`).test(word))
