/** Takes a command apart as a shell does, for tests of commands that a person is to paste. */
import { execFileSync } from 'node:child_process'

/** The words of a command line, without their quotes. */
export const shellWords = (command: string): string[] =>
  execFileSync('sh', ['-c', `printf '%s\\0' ${command}`], { encoding: 'utf8' })
    .split('\0')
    .slice(0, -1)
