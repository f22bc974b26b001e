import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { needsTool } from '../../lib/testing/needs.ts'
import { buildStandin } from '../testing/build.ts'
import { apiVersionOf, apiVersions, checkStatus, created, openApi } from './api.ts'
import { bundledLibraries, ortLibrary } from './library.ts'

const folder = mkdtempSync(join(tmpdir(), 'ort-api-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const noGcc = needsTool('gcc')
const standin = (defines: Record<string, string | number | true> = {}) =>
  buildStandin([join(import.meta.dirname, '../testing/onnxruntime.c')], { out: 'libonnxruntime.so.1', defines })
const open = (path: string) => openApi({ env: { ONNXRUNTIME_LIB: path } })
const refused = (defines: Record<string, string | number | true>, message: RegExp) =>
  assert.throws(() => open(standin(defines)), { name: 'FfiError', kind: 'refused', message, hint: /ONNXRUNTIME_LIB/ })

test("bundledLibraries() finds the package's library for this machine and none for an unknown one", () => {
  assert.equal(bundledLibraries().length, 1)
  assert.ok(existsSync(bundledLibraries()[0]!))
  assert.deepEqual(bundledLibraries('plan9', 'vax'), [])
})

test("ortLibrary() prefers the package's own library to one of the system", () => {
  const { names, env } = ortLibrary()
  assert.equal(names[0], bundledLibraries()[0])
  assert.equal(env, 'ONNXRUNTIME_LIB')
})

test("openApi() opens the package's library with the newest table that is tested", () => {
  const api = openApi({ env: {} })
  const minor = Number(api.version.split('.')[1])
  assert.equal(api.apiVersion, Math.min(minor, apiVersions.newest))
  assert.equal(api.path, bundledLibraries()[0])
  assert.match(api.buildInfo, /^ORT Build Info: .*build type=/)
  assert.equal(openApi({ env: {} }), api)
})

test('openApi() opens every version of the table in the tested range', () => {
  for (let apiVersion = apiVersions.oldest; apiVersion <= apiVersions.newest; apiVersion++)
    assert.equal(openApi({ env: {}, apiVersion }).apiVersion, apiVersion)
})

test('openApi() refuses to ask for a version outside of the tested range', () => {
  for (const apiVersion of [0, 15, 31, 16.5, Number.NaN])
    assert.throws(() => openApi({ env: {}, apiVersion }), { kind: 'usage', message: /16 to 30 are tested/ })
})

test('apiVersionOf() takes the newest that both sides know, and refuses older, other and unreadable ones', () => {
  const of = (version: string, asked: number = apiVersions.newest) => apiVersionOf({ version, asked, path: 'lib' })
  assert.deepEqual(
    [of('1.30.0'), of('1.22.1'), of('1.16.3'), of('1.47.0'), of('1.30.0', 18), of('1.17.0', 18)],
    [30, 22, 16, 30, 18, 17],
  )
  for (const version of ['1.15.1', '1.8.0', '0.9.0', '2.0.0', '', 'main', '1.x.0', '11.30.0'])
    assert.throws(() => of(version), { kind: 'refused' }, version)
})

test(
  'openApi() takes the stand-in that does not lie, so that each refusal below is of the lie',
  { skip: noGcc },
  () => {
    const api = open(standin())
    assert.deepEqual([api.version, api.apiVersion, api.buildInfo], ['1.30.0', 30, 'ORT Build Info: a stand-in'])
  },
)

test(
  'openApi() asks a newer library for the newest table that is tested, once, and an older one for its own',
  { skip: noGcc },
  () => {
    const log = join(folder, 'newer')
    assert.equal(open(standin({ VERSION: '"1.41.2"', LOG_FILE: JSON.stringify(log) })).apiVersion, 30)
    assert.equal(readFileSync(log, 'utf8'), '30\n')
    assert.equal(open(standin({ VERSION: '"1.19.0"' })).apiVersion, 19)
  },
)

test('openApi() refuses a library of an untested version before it asks for its table', { skip: noGcc }, () => {
  const log = join(folder, 'older')
  refused(
    { VERSION: '"1.15.1"', LOG_FILE: JSON.stringify(log) },
    /it is version 1\.15\.1, and the oldest that is tested is 1\.16/,
  )
  refused({ VERSION: '"2.0.0"', LOG_FILE: JSON.stringify(log) }, /it is version "2\.0\.0", and only 1\.x is known/)
  assert.equal(existsSync(log), false)
})

test(
  'openApi() refuses a library that gives no base, no table, or a table where there is no memory',
  { skip: noGcc },
  () => {
    refused({ NULL_BASE: true }, /OrtGetApiBase\(\) gives nothing/)
    refused({ NULL_TABLE: true }, /version 1\.30\.0 does not grant C API 30/)
    refused({ WILD_TABLE: true }, /the table of C API 30 is at 0x10, where there is no memory/)
  },
)

test('openApi() refuses a table with a hole, and one that points out of the library', { skip: noGcc }, () => {
  refused({ EMPTY_SLOT: 133 }, /its function table has no RunWithBinding/)
  refused({ STRAY_SLOT: 92 }, /ReleaseEnv at 0x[\da-f]+ is not code of this library/)
})

test('openApi() refuses a table whose slots moved, and calls that answer otherwise', { skip: noGcc }, () => {
  refused({ SHIFTED: true }, /GetBuildInfoString\(\) answers "nothing"/)
  refused({ WRONG_WORDS: true }, /CreateStatus\(\) answers error 7, "something else"/)
  refused({ WRONG_CODE: true }, /CreateStatus\(\) answers error 8/)
  refused({ NEVER_FAILS: true }, /SetSessionGraphOptimizationLevel\(\) succeeds where it must fail/)
})

test('openApi() is absent for a library that is something else, naming the symbol that lacks', () => {
  const path = execFileSync(
    process.execPath,
    ['-p', "require('node:fs').readFileSync('/proc/self/maps', 'utf8').match(/\\/.*libc[.-].*/)[0]"],
    { encoding: 'utf8' },
  ).trim()
  assert.throws(() => open(path), { kind: 'absent', message: /it has no symbol OrtGetApiBase/ })
  assert.throws(() => open(join(folder, 'none.so')), {
    kind: 'absent',
    message: /named by ONNXRUNTIME_LIB/,
    hint: /export ONNXRUNTIME_LIB=/,
  })
})

test('checkStatus() names what was wanted, the call and the code, and releases the status', () => {
  const { functions } = openApi({ env: {} })
  const attempt = { call: 'Frob', act: 'open "x.onnx"', hint: 'look at it' }
  checkStatus(functions, null, attempt)
  const names = [
    'FAIL',
    'INVALID_ARGUMENT',
    'NO_SUCHFILE',
    'NO_MODEL',
    'ENGINE_ERROR',
    'RUNTIME_EXCEPTION',
    'INVALID_PROTOBUF',
    'MODEL_LOADED',
    'NOT_IMPLEMENTED',
    'INVALID_GRAPH',
    'EP_FAIL',
  ]
  for (const [i, name] of names.entries()) {
    assert.throws(() => checkStatus(functions, functions.CreateStatus(i + 1, 'two\nlines '), attempt), {
      kind: 'status',
      hint: 'look at it',
      message: `Cannot open "x.onnx": Frob() answers ${name}: two lines`,
    })
  }
  assert.throws(() => checkStatus(functions, functions.CreateStatus(99, 'new'), { ...attempt, hint: undefined }), {
    message: /answers error 99: new/,
    hint: 'check the model',
  })
})

test('created() gives the pointer, and refuses success without one', () => {
  const api = openApi({ env: {} })
  const attempt = { call: 'Frob', act: 'frob' }
  assert.equal(
    created(api, attempt, out => ((out[0] = 7n), null)),
    7n,
  )
  assert.throws(() => created(api, attempt, () => null), {
    kind: 'status',
    message: 'Cannot frob: Frob() succeeds and gives nothing',
  })
  assert.throws(() => created(api, attempt, () => api.functions.CreateStatus(1, 'no')), {
    message: 'Cannot frob: Frob() answers FAIL: no',
  })
})
