import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { koffi } from '../../load.ts'
import { abiOf } from './abi.ts'
import { prototypes } from './prototypes.ts'

const versions = [
  { major: 8, minor: 6, patch: 1 },
  { major: 10, minor: 0, patch: 0 },
  { major: 11, minor: 0, patch: 0 },
] as const

test('prototypes: each method has a slot in each major that it has a prototype for', () => {
  for (const [type, methods] of Object.entries(prototypes)) {
    for (const [method, prototype] of Object.entries(methods)) {
      for (const version of versions) {
        const slot = abiOf(version).slotOf(type, method)
        const isHere = typeof prototype === 'string' || prototype[version.major] !== undefined
        assert.equal(slot !== undefined, isHere, `${type}.${method} of ${version.major}`)
      }
    }
  }
})

test('prototypes: each is C that koffi reads, with the object as its first argument', () => {
  for (const [type, methods] of Object.entries(prototypes)) {
    for (const [method, prototype] of Object.entries(methods)) {
      for (const text of typeof prototype === 'string' ? [prototype] : Object.values(prototype)) {
        const { proto } = koffi().proto(text.replaceAll('DIMS', 'int'))
        assert.ok(proto!.arguments.length >= 1, `${type}.${method}`)
        assert.match(text, /^[\w ]+ \*?\(void \*self[,)]/)
      }
    }
  }
})

test('prototypes: each method is called by the bindings', () => {
  const room = join(import.meta.dirname, '..')
  const files = (readdirSync(room, { recursive: true }) as string[]).filter(
    name => name.endsWith('.ts') && !name.endsWith('.test.ts') && !name.endsWith('prototypes.ts'),
  )
  const sources = files.map(name => readFileSync(join(room, name), 'utf8')).join('\n')
  const uncalled = Object.entries(prototypes).flatMap(([type, methods]) =>
    Object.keys(methods)
      .filter(method => !sources.includes(`'${method}'`))
      .map(method => `${type}.${method}`),
  )
  assert.deepEqual(uncalled, [])
})
