import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { needsTool } from '../../lib/testing/needs.ts'
import { FfiError } from '../errors.ts'
import { hasSymbol } from '../load.ts'
import { buildStandin } from '../testing/build.ts'
import { openParser } from './parser.ts'

const skip = needsTool('gcc')

/**
 * A folder with a parser that needs plugins that need a library, as far as `has` says. Majors are ones that no machine
 * has.
 */
function lying(
  major: number,
  has: readonly ('plugin' | 'cublas' | 'parser')[],
  body: (open: () => ReturnType<typeof openParser>) => void,
): void {
  const folder = mkdtempSync(join(tmpdir(), 'parser-test-'))
  try {
    const make = (name: string, needs: string | null) => {
      const source = join(folder, `${name}.c`)
      writeFileSync(source, `int ${name}_${major}(void) { return ${major}; }\n`)
      const flags = [`-Wl,-soname,lib${name}.so.${major}`, '-Wl,--no-as-needed', ...(needs === null ? [] : [needs])]
      return buildStandin([source], { out: `lib${name}.so.${major}`, flags })
    }
    const cublas = make('cublas', null)
    const plugin = make('nvinfer_plugin', has.includes('cublas') ? null : cublas)
    const parser = make('nvonnxparser', plugin)
    if (has.includes('plugin')) copyFileSync(plugin, join(folder, `libnvinfer_plugin.so.${major}`))
    if (has.includes('parser')) copyFileSync(parser, join(folder, `libnvonnxparser.so.${major}`))
    body(() =>
      openParser({
        library: { path: join(folder, `libnvinfer.so.${major}`) },
        version: { major, minor: 0, patch: 0 },
        env: {},
      }),
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const absent = (open: () => unknown, message: RegExp, hint: RegExp) =>
  assert.throws(
    open,
    (thrown: unknown) =>
      thrown instanceof FfiError && thrown.kind === 'absent' && message.test(thrown.message) && hint.test(thrown.hint),
  )

test('openParser() opens a parser that needs the plugins when these lie beside libnvinfer', { skip }, () => {
  lying(91, ['plugin', 'cublas', 'parser'], open => assert.ok(hasSymbol(open(), 'nvonnxparser_91')))
})

test("openParser() carries the loader's reason when the plugins are not there", { skip }, () => {
  lying(92, ['cublas', 'parser'], open =>
    absent(
      open,
      /libnvonnxparser\.so\.92: libnvinfer_plugin\.so\.92: cannot open shared object file/,
      /^install libnvinfer_plugin\.so\.92, or put its folder on LD_LIBRARY_PATH$/,
    ),
  )
})

test('openParser() names what the plugins lack when they are there and do not open', { skip }, () => {
  lying(93, ['plugin', 'parser'], open =>
    absent(
      open,
      /libnvinfer_plugin\.so\.93: libcublas\.so\.93: cannot open shared object file/,
      /^install libcublas\.so\.93, or/,
    ),
  )
})

test('openParser() says where it looked when there is no parser', { skip }, () => {
  lying(94, ['plugin', 'cublas'], open =>
    absent(open, /ONNX parser: \d+ places were tried/, /export TENSORRT_PARSER_LIB=/),
  )
})
