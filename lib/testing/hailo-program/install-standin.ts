/**
 * Installs a stand-in for the `hailo` program.
 *
 * A launcher is written into `<folder>/bin`, as a virtualenv has it. What it runs is `program.ts`.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { shellWord } from '../../base/text.ts'
import { bundled } from './bundle.ts'

/** Where the stand-in lies. */
export interface InstalledStandin {
  /** For `--dfc`: the folder that looks like a virtualenv. */
  readonly folder: string
  readonly program: string
}

/** Write `<folder>/bin/hailo`. `wheel` puts the mark of an installed package of that version beside it. */
export function installHailoStandin(folder: string, o: { wheel?: string } = {}): InstalledStandin {
  const program = join(folder, 'bin/hailo')
  mkdirSync(join(folder, 'bin'), { recursive: true })
  const words = [process.execPath, bundled(join(import.meta.dirname, 'program.ts'))]
  writeFileSync(program, `#!/bin/sh\nexec ${words.map(shellWord).join(' ')} "$@"\n`, { mode: 0o755 })
  const mark = `lib/python3.10/site-packages/hailo_dataflow_compiler-${o.wheel}.dist-info`
  if (o.wheel !== undefined) mkdirSync(join(folder, mark), { recursive: true })
  return { folder, program }
}
