/** The flags of the stand-in for `hailo` by subcommand, and argparse's way of refusing others. */

/** How many words follow a flag. */
type Takes = 'none' | 'one' | 'many'

const archs = ['hailo8', 'hailo8r', 'hailo8l', 'hailo15h', 'hailo15m', 'hailo15l', 'hailo10h']
const flags: Readonly<Record<'parser' | 'optimize' | 'compiler', Readonly<Record<string, Takes>>>> = {
  parser: {
    'net-name': 'one',
    'har-path': 'one',
    'hw-arch': 'one',
    y: 'none',
    'start-node-names': 'many',
    'end-node-names': 'many',
    'tensor-shapes': 'many',
    'parsing-report-path': 'one',
    'disable-rt-metadata-extraction': 'none',
  },
  optimize: {
    'hw-arch': 'one',
    'calib-set-path': 'one',
    'use-random-calib-set': 'none',
    'model-script': 'one',
    'output-har-path': 'one',
  },
  compiler: { 'hw-arch': 'one', 'output-dir': 'one', 'output-har-path': 'one', 'model-script': 'one' },
}
const needed = {
  parser: [],
  optimize: ['hw-arch', 'output-har-path'],
  compiler: ['hw-arch', 'output-dir', 'output-har-path'],
} as const
const choices = (names: readonly string[]) => `(choose from ${names.map(name => `'${name}'`).join(', ')})`

/** A command line that was understood. `one` and `many` give '' and [] for a flag that was not given. */
export interface Words {
  readonly command: keyof typeof flags
  readonly positional: readonly string[]
  has(flag: string): boolean
  one(flag: string): string
  many(flag: string): readonly string[]
}

/** The help of a subcommand. */
export const usageOf = (command: string): string => {
  const known = Object.hasOwn(flags, command) ? flags[command as keyof typeof flags] : {}
  const shown = Object.keys(known)
    .map(name => `[${dashed(name)}]`)
    .join(' ')
  return `usage: hailo ${command} [-h] ${command === 'parser' ? '{tf,onnx} model_path ' : 'har_path '}${shown}`
}

const dashed = (name: string) => (name.length === 1 ? `-${name}` : `--${name}`)

/**
 * Split a command line, or the text with which argparse refuses it. `unknown` flags are refused as an older version
 * does.
 */
export function parseWords(argv: readonly string[], unknown: readonly string[]): Words | string {
  const [command = '', ...rest] = argv
  if (!Object.hasOwn(flags, command)) {
    return refusal('', `argument cmd: invalid choice: '${command}' ${choices(Object.keys(flags))}`)
  }
  const name = command as keyof typeof flags
  const words = name === 'parser' ? rest.slice(1) : rest
  if (name === 'parser' && rest[0] !== 'onnx') {
    return refusal(name, `argument framework: invalid choice: '${rest[0]}' ${choices(['tf', 'onnx'])}`)
  }
  const values = new Map<string, string[]>()
  const positional: string[] = []
  let open: { flag: string; takes: Takes } | null = null
  for (const word of words) {
    if (/^--?[a-z]/.test(word)) {
      const flag = word.replace(/^--?/, '')
      const takes = unknown.includes(flag) ? undefined : flags[name][flag]
      if (takes === undefined) return refusal(name, `unrecognized arguments: ${word}`)
      values.set(flag, [])
      open = takes === 'none' ? null : { flag, takes }
    } else if (open) {
      values.get(open.flag)!.push(word)
      if (open.takes === 'one') open = null
    } else positional.push(word)
  }
  const why = whyNot(name, values, positional)
  const many = (flag: string) => values.get(flag) ?? []
  return why ?? { command: name, positional, has: flag => values.has(flag), one: flag => many(flag)[0] ?? '', many }
}

function whyNot(
  name: keyof typeof flags,
  values: ReadonlyMap<string, readonly string[]>,
  positional: readonly string[],
): string | null {
  if (positional.length === 0) return refusal(name, 'the following arguments are required: path')
  if (positional.length > 1) return refusal(name, `unrecognized arguments: ${positional.slice(1).join(' ')}`)
  const missing = needed[name].filter(flag => !values.has(flag))
  if (missing.length > 0)
    return refusal(name, `the following arguments are required: ${missing.map(dashed).join(', ')}`)
  const bare = [...values].find(([flag, given]) => flags[name][flag] !== 'none' && given.length === 0)
  if (bare) return refusal(name, `argument ${dashed(bare[0])}: expected one argument`)
  const arch = values.get('hw-arch')?.[0]
  if (arch !== undefined && !archs.includes(arch)) {
    return refusal(name, `argument --hw-arch: invalid choice: '${arch}' ${choices(archs)}`)
  }
  return null
}

const refusal = (command: string, text: string) => `${usageOf(command)}\nhailo ${command}: error: ${text}`
