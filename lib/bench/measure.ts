/**
 * Measures how much CPU and memory a script takes, as a process of its own.
 *
 * The script's own process is asked when it ends, because wall time on a shared machine says little. The smallest of
 * several runs is the steadiest figure; ratios within one session compare best.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { pathToFileURL } from 'node:url'
import { typescriptCommand } from '../host/typescript.ts'

/** What a script cost. */
export interface Cost {
  /** User and system time of the process, in ms. */
  readonly cpuMs: number
  readonly wallMs: number
  /** The largest resident set, in bytes. */
  readonly maxRssBytes: number
  readonly exit: number | null
}

/** Run a TypeScript file with the loader that runbooks use, and measure it. Its output is thrown away. */
export async function costOfScript(path: string, argv: readonly string[] = []): Promise<Cost> {
  const folder = mkdtempSync(join(tmpdir(), 'measure-'))
  const report = join(folder, 'usage.json')
  const probe = join(folder, 'probe.mjs')
  writeFileSync(
    probe,
    `import { writeFileSync } from 'node:fs'
process.on('exit', () => {
  const u = process.resourceUsage()
  writeFileSync(${JSON.stringify(report)}, JSON.stringify(u)) })\n`,
  )
  try {
    const startedMs = performance.now()
    const [program, ...words] = typescriptCommand(path, argv, { flags: ['--import', pathToFileURL(probe).href] })
    const child = spawn(program!, words, { stdio: 'ignore' })
    const exit = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve))
    const wallMs = performance.now() - startedMs
    const usage = JSON.parse(readFileSync(report, 'utf8')) as NodeJS.ResourceUsage
    return { cpuMs: (usage.userCPUTime + usage.systemCPUTime) / 1000, wallMs, maxRssBytes: usage.maxRSS * 1024, exit }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
