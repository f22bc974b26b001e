/**
 * Compiles for this machine's CPU, with no vendor's compiler.
 *
 * It proves that the graph is sound, that int8 keeps the signal, and that the compiled model opens and runs. It proves
 * nothing about allocation on a device. Each stage is `stage.ts` in a process of its own; nothing it makes is called
 * `.har` or `.hef`.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { sha256, sha256File } from '../../host/digest.ts'
import type { Toolchain } from '../toolchain.ts'
import { hostStage } from './run-stage.ts'

const require = createRequire(import.meta.url)

/**
 * The host toolchain. It is found wherever ONNX Runtime's package is.
 *
 * @example
 * ```ts
 * const found = await hostToolchain().available()
 * assert.equal(found.found, true)
 * ```
 */
export function hostToolchain(): Toolchain {
  return {
    name: 'host',
    product: 'onnx',
    calibrationLayout: 'nchw',
    available() {
      const { version } = require('onnxruntime-node/package.json') as { version: string }
      return Promise.resolve({
        found: true,
        where: 'onnxruntime-node',
        version: `${version}+${sourceDigest()}`,
        why: '',
        hint: '',
      })
    },
    parse: (onnx, o) => hostStage('parse', { from: onnx, to: `${o.netName}.host_parsed.onnx` }, o),
    optimize: (parsed, o) => hostStage('optimize', { from: parsed, to: `${o.netName}.host_int8.onnx` }, o),
    compile: (quantised, o) => hostStage('compile', { from: quantised, to: `${o.netName}.host_compiled.onnx` }, o),
  }
}

/**
 * Our own quantiser decides the outcome as much as ONNX Runtime does, so the text of all that the stage imports is part
 * of the version.
 */
function sourceDigest(): string {
  return sha256(
    importedBy(join(import.meta.dirname, 'stage.ts'))
      .map(sha256File)
      .join(),
  ).slice(0, 8)
}

/** The file itself and all the project's files that it imports at run time, at any depth, sorted. */
function importedBy(entry: string): string[] {
  const found = new Set([entry])
  for (const file of found) {
    for (const [, fixed, dynamic] of readFileSync(file, 'utf8').matchAll(
      /^(?:import|export) (?!type\b)[\w\s{},*$]*?from '(\.[^']+)'|\bimport\('(\.[^']+)'\)/gm,
    )) {
      found.add(join(dirname(file), (fixed ?? dynamic)!))
    }
  }
  return [...found].toSorted()
}
