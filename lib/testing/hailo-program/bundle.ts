/**
 * Makes one JavaScript file of a TypeScript program and all that it imports, so that a stand-in starts quickly.
 *
 * A stand-in is started hundreds of times, and with tsx each start costs 0.4 s of CPU before its first line; a bundle
 * starts in 0.1 s. esbuild, which tsx brings along, makes it.
 */
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

interface Esbuild {
  buildSync(options: Readonly<Record<string, unknown>>): unknown
}

const made = new Map<string, string>()
let ownFolder: string | undefined

/** A folder that lives as long as the tests: the runner's, which all its processes share, else this process's own. */
function folderOfTests(): string {
  const { RUNGBOOK_TEST_FOLDER: shared } = process.env
  if (shared !== undefined && existsSync(shared)) return shared
  if (ownFolder === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'rungbook-bundle-'))
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
    ownFolder = folder
  }
  return ownFolder
}

/**
 * A program as one `.mjs` file, made once. It lies in a temporary folder: not for a program that looks for files beside
 * itself.
 *
 * @param script absolute path of a `.ts` file without native packages
 * @throws Error when esbuild is not found or cannot build it
 */
export function bundled(script: string): string {
  const known = made.get(script)
  if (known !== undefined && existsSync(known)) return known
  const path = join(folderOfTests(), `${basename(script, '.ts')}.mjs`)
  if (!existsSync(path)) {
    const esbuild = createRequire(import.meta.resolve('tsx'))('esbuild') as Esbuild
    // Two processes may make it at once: each writes a file of its own, and the last rename wins with equal bytes.
    const draft = `${path}.${process.pid}`
    esbuild.buildSync({
      entryPoints: [script],
      outfile: draft,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      sourcemap: 'inline',
    })
    renameSync(draft, path)
  }
  made.set(script, path)
  return path
}
