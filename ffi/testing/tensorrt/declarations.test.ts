import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { needsTool } from '../../../lib/testing/needs.ts'
import { abiOf } from '../../tensorrt/abi/abi.ts'
import { prototypes } from '../../tensorrt/abi/prototypes.ts'
import { buildStandin } from '../build.ts'
import { declarations, writeDeclarations } from './declarations.ts'

const version = (major: number, minor: number) => ({ major, minor, patch: 0 })

/** Compile the declarations and let g++ say at which slot each method that the bindings call is. */
function slotsByCompiler(header: string, major: 8 | 10 | 11): Record<string, number> {
  const folder = mkdtempSync(join(tmpdir(), 'slots-test-'))
  try {
    const names = Object.entries(prototypes).flatMap(([type, methods]) =>
      Object.entries(methods)
        .filter(([, prototype]) => typeof prototype === 'string' || prototype[major] !== undefined)
        .map(([method]) => `${type}.${method}`),
    )
    writeFileSync(join(folder, 'slots.h'), header)
    const source = join(folder, 'main.cpp')
    writeFileSync(
      source,
      [
        '#include <cstdio>',
        '#include <cstring>',
        '#include "slots.h"',
        'void trap(const char *, int) { __builtin_trap(); }',
        'template <class M> long at(M m) { long w[2]; memcpy(w, &m, sizeof w); return (w[0] & ~1L) / 8; }',
        'int main() {',
        ...names.map(name => `  printf("${name} %ld\\n", at(&${name.split('.')[0]}Slots::${name.split('.')[1]}));`),
        '}',
        '',
      ].join('\n'),
    )
    const program = buildStandin([source], { out: 'slots', kind: 'program' })
    return Object.fromEntries(
      execFileSync(program, { encoding: 'utf8' })
        .trim()
        .split('\n')
        .map(line => [line.split(' ')[0]!, Number(line.split(' ')[1])]),
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test(
  'declarations(): g++ puts each method that the bindings call at the slot of the table',
  { skip: needsTool('g++') },
  () => {
    for (const [major, minor] of [
      [8, 6],
      [10, 13],
      [11, 1],
    ] as const) {
      const found = slotsByCompiler(declarations(version(major, minor)), major)
      assert.ok(Object.keys(found).length > 50)
      for (const [name, slot] of Object.entries(found)) {
        const [type, method] = name.split('.') as [string, string]
        assert.equal(slot, abiOf(version(major, minor)).slotOf(type, method), `${name} of ${major}`)
      }
    }
  },
)

test(
  "declarations(): in 10.8 the network's later methods are one further, and nothing else is",
  { skip: needsTool('g++') },
  () => {
    const found = slotsByCompiler(declarations(version(10, 8)), 10)
    assert.equal(found['INetworkDefinition.getBuilder'], 64)
    assert.equal(found['INetworkDefinition.getNbInputs'], 14)
    assert.equal(found['IExecutionContext.enqueueV3'], 37)
  },
)

test('declarations() moves what it is told to move, from that slot on', { skip: needsTool('g++') }, () => {
  const found = slotsByCompiler(declarations(version(10, 13), { type: 'IExecutionContext', slot: 22 }), 10)
  assert.deepEqual(
    ['setInputShape', 'getTensorShape', 'enqueueV3'].map(method => found[`IExecutionContext.${method}`]),
    [21, 23, 38],
  )
})

test('writeDeclarations() gives one folder for one text', () => {
  assert.equal(writeDeclarations(version(10, 13)), writeDeclarations(version(10, 13)))
  assert.notEqual(writeDeclarations(version(10, 13)), writeDeclarations(version(10, 12)))
  assert.notEqual(writeDeclarations(version(10, 13)), writeDeclarations(version(10, 13), { type: 'IRuntime', slot: 2 }))
})

test('declarations() lays an unknown version out like its nearest neighbour, under its own number', () => {
  assert.match(declarations(version(9, 3)), /#define TRT_MAJOR 8\n.*9, 3, 0, 9\n#define TRT_VERSION 9300/)
  assert.match(
    declarations({ major: 1, minor: 7, patch: 1 }),
    /#define TRT_MAJOR 11\n.*1, 7, 1, 9\n#define TRT_VERSION 10701/,
  )
  assert.match(declarations(version(12, 0)), /#define TRT_MAJOR 11\n.*12, 0, 0, 9\n#define TRT_VERSION 120000/)
})
