/** Compiles libraries that call themselves HailoRT and misbehave: at loading, or with one of their answers. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { symbols } from '../hailort/abi/symbols.ts'
import { buildStandin } from './build.ts'

/** What a library does, as C. */
export interface Rogue {
  /** Statements that run when it is loaded. */
  readonly atLoad?: string
  /** Definitions of functions that answer otherwise than with success. */
  readonly functions?: Readonly<Record<string, string>>
}

/** Statements that leave a process behind: in a session of its own, with no environment, and with no parent. */
export const leavesDaemon = (seconds: number): string => `
  if (fork() == 0) {
    setsid();
    if (fork() == 0) {
      char *words[] = {"sleep", "${seconds}", NULL}, *none[] = {NULL};
      execve("/bin/sleep", words, none);
    }
    _exit(0);
  }
  int status;
  wait(&status);`

/** Path of a library of version 4.23.0 whose every function succeeds and does nothing, but for what is told. */
export function rogueLibrary({ atLoad = '', functions = {} }: Rogue): string {
  const folder = mkdtempSync(join(tmpdir(), 'rogue-'))
  const quiet = Object.keys(symbols).filter(name => !(name in functions))
  const source = [
    '#define _GNU_SOURCE',
    '#include <stddef.h>',
    '#include <stdint.h>',
    '#include <sys/wait.h>',
    '#include <unistd.h>',
    'int hailo_get_library_version(uint32_t *v) { v[0] = 4; v[1] = 23; v[2] = 0; return 0; }',
    ...quiet.map(name => `int ${name}(void) { return 0; }`),
    ...Object.values(functions),
    `__attribute__((constructor)) static void loaded(void) {${atLoad}\n}`,
    '',
  ].join('\n')
  try {
    const file = join(folder, 'rogue.c')
    writeFileSync(file, source)
    return buildStandin([file], { out: 'libhailort.so' })
  } finally {
    rmSync(folder, { recursive: true })
  }
}
