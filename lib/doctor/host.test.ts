import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { fakeMachine, found, type FakeMachine } from '../testing/machine/fake-machine.ts'
import { bashFact, libcFact, nodeFact, packageFacts, toolFacts } from './host.ts'

const lineOf = async (name: string, machine: FakeMachine) =>
  (await packageFacts(fakeMachine(machine))).find(fact => fact.name === name)!
const tool = async (name: string, machine: FakeMachine) =>
  (await toolFacts(fakeMachine(machine))).find(fact => fact.name === name)!

test('nodeFact() wants the version that package.json asks for, and calls an older one broken', () => {
  assert.equal(nodeFact(fakeMachine()).status, 'ok')
  const old = nodeFact(fakeMachine({ machine: { node: 'v18.20.4' } }))
  assert.deepEqual([old.status, old.state], ['broken', 'v18.20.4 on linux x64 (20.19 or newer)'])
  const strict = fakeMachine({ files: { '/project/package.json': '{"engines":{"node":">=24"}}' } })
  assert.equal(nodeFact(strict).status, 'broken')
})

test('nodeFact() still judges when package.json is gone or is no JSON', () => {
  assert.equal(nodeFact(fakeMachine({ files: { '/project/package.json': '{' } })).status, 'ok')
  assert.equal(
    nodeFact(fakeMachine({ files: { '/project/package.json': null }, machine: { node: 'v16.0.0' } })).status,
    'broken',
  )
})

test('bashFact() is missing for the main job when there is no bash', () => {
  const fact = bashFact(fakeMachine({ programs: { bash: null } }))
  assert.deepEqual([fact.status, fact.needs, fact.fix], ['missing', ['main'], 'sudo apt install bash'])
})

test('packageFacts() names each loaded package and counts the others', async () => {
  const facts = await packageFacts(fakeMachine())
  assert.deepEqual(
    facts.map(({ name, status }) => `${status} ${name}`),
    ['ok zx', 'ok tsx', 'ok koffi', 'ok onnxruntime-node', 'ok other packages'],
  )
  assert.match(facts[3]!.state, /^1\.30\.0 loads, built for cpu$/)
  assert.match(facts[4]!.state, /^1 as/)
})

test('packageFacts() calls a package missing when it is not installed, and does not try to load it', async () => {
  const asked: string[] = []
  const probe = async (subject: string) => {
    asked.push(subject)
    return found({})
  }
  const fact = await lineOf('koffi', {
    files: { '/project/node_modules/koffi/package.json': null },
    machine: { probe },
  })
  assert.deepEqual([fact.status, fact.fix, fact.needs], ['missing', 'npm ci', ['main']])
  assert.deepEqual(asked, ['zx', 'tsx', 'onnxruntime-node'])
})

test('packageFacts() calls a package broken when it is of another version than the lock file has', async () => {
  const fact = await lineOf('zx', { files: { '/project/node_modules/zx/package.json': '{"version":"7.0.0"}' } })
  assert.deepEqual([fact.status, fact.state], ['broken', '7.0.0 is installed, and package-lock.json has 8.8.5'])
  const others = await lineOf('other packages', {
    files: { '/project/node_modules/papaparse/package.json': '{"version":"1.0.0"}' },
  })
  assert.deepEqual(
    [others.status, others.state],
    ['broken', 'papaparse 1.0.0 is installed, and package-lock.json has 5.7.1'],
  )
})

test('packageFacts() calls a package broken when it does not load, with the first line of why', async () => {
  const fact = await lineOf('onnxruntime-node', {
    probed: {
      'onnxruntime-node': {
        ok: false,
        kind: 'crash',
        message: 'loading it crashes its process with SIGSEGV\nmore',
        hint: null,
      },
    },
  })
  assert.deepEqual(
    [fact.status, fact.state],
    ['broken', '1.30.0 does not load: loading it crashes its process with SIGSEGV'],
  )
})

test('toolFacts() finds ffmpeg, compiler, chromium and nbformat, each with version and path', async () => {
  const facts = await toolFacts(fakeMachine())
  assert.deepEqual(
    facts.map(({ name, status }) => `${status} ${name}`),
    ['ok ffmpeg', 'ok C++ compiler', 'ok chromium', 'ok python nbformat'],
  )
  assert.match(facts[1]!.state, /^g\+\+ 12\.2\.0 \(/)
})

test('toolFacts() takes a program broken that is not what its name says', async () => {
  const loader = '#!/bin/sh\necho "error while loading shared libraries: libav.so" >&2; exit 127\n'
  const ffmpeg = await tool('ffmpeg', { programs: { ffmpeg: loader } })
  assert.equal(ffmpeg.status, 'broken')
  assert.match(ffmpeg.state, /exit code 127 and says "error while loading shared libraries: libav\.so"/)
  assert.equal((await tool('C++ compiler', { programs: { 'g++': '#!/bin/sh\nexit 1\n' } })).status, 'broken')
})

test("toolFacts() finds chromium under its other names and behind its launcher's complaints", async () => {
  const launcher =
    '#!/bin/sh\necho "/usr/bin/chromium: 9: [: unexpected operator" >&2; echo "Chromium 156.0.8078.79 built ' +
    'on Debian"\n'
  assert.match((await tool('chromium', { programs: { chromium: launcher } })).state, /^156\.0\.8078\.79 /)
  const chrome = await tool('chromium', {
    programs: { chromium: null, 'google-chrome': 'Google Chrome 140.0.7339.80' },
  })
  assert.match(chrome.state, /^140\.0\.7339\.80 .*google-chrome/)
  assert.deepEqual([(await tool('chromium', { programs: { chromium: null } })).status], ['missing'])
})

test("toolFacts() tries the system's Python when the first on PATH has no nbformat", async () => {
  const without = '#!/bin/sh\necho "ModuleNotFoundError: No module named nbformat" >&2; exit 1\n'
  const machine = fakeMachine({ programs: { 'pyenv/python3': without } })
  const both = (
    await toolFacts({ ...machine, env: { PATH: `${join(machine.root, 'pyenv')}:${machine.env.PATH}` } })
  ).at(-1)!
  assert.deepEqual([both.status, both.state], ['ok', `5.5.0 (${join(machine.root, 'usr/bin/python3')})`])
  const none = await tool('python nbformat', { programs: { python3: without } })
  assert.deepEqual([none.status, none.fix], ['missing', 'sudo apt install python3 python3-nbformat'])
  const bad = await tool('python nbformat', {
    programs: { python3: '#!/bin/sh\necho "Fatal Python error" >&2; exit 1\n' },
  })
  assert.equal(bad.status, 'broken')
  assert.equal((await tool('python nbformat', { programs: { python3: null } })).status, 'missing')
})

test('libcFact() tells Alpine that it wants glibc, and nobody else anything', () => {
  const [fact] = libcFact(fakeMachine({ files: { '/etc/alpine-release': '3.22.0' } }))
  assert.deepEqual([fact!.status, fact!.needs], ['broken', ['main', 'hailo', 'nvidia']])
  assert.match(fact!.fix!, /glibc: docker run -it node:22-bookworm/)
  assert.equal(libcFact(fakeMachine({ files: { '/lib/ld-musl-x86_64.so.1': '' } })).length, 1)
  assert.deepEqual(libcFact(fakeMachine()), [])
})
