import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { FfiError } from '../../errors.ts'
import { koffi, type NativeFunction } from '../../load.ts'
import { constantCode, constantFunctions } from './machine-code.ts'
import { MemoryMap } from '../../memory-map.ts'

test('constantFunctions() makes functions that give their constants, from any number of arguments', () => {
  const k = koffi()
  const word = 0x8123_4567_89ab_cdefn
  const [plain, pair] = constantFunctions([{ first: word }, { first: 7n, second: 1n }])
  const asWord = k.decode(plain!, k.proto('uint64_t (void *self, int a, int b)')) as NativeFunction<
    [bigint | null, number, number],
    bigint
  >
  assert.equal(BigInt(asWord(null, 1, 2)), word)
  k.struct('MachineCodeTestPair', { kind: 'int64_t', major: 'int32_t', minor: 'int32_t' })
  const asPair = k.decode(pair!, k.proto('MachineCodeTestPair (void *self)')) as NativeFunction<[null], object>
  assert.deepEqual({ ...asPair(null) }, { kind: 7, major: 1, minor: 0 })
})

test('constantFunctions() leaves no memory that is both code and writable', () => {
  const [address] = constantFunctions([{ first: 1n }])
  assert.equal(new MemoryMap().codeAt(address!), '')
  const rights = readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter(line => {
      const [start, end] = line
        .split(' ')[0]!
        .split('-')
        .map(text => BigInt(`0x${text || 0}`))
      return start! <= address! && address! < (end ?? 0n)
    })
    .map(line => line.split(' ')[1])
  assert.deepEqual(rights, ['r-xp'])
})

test('constantCode() encodes for arm64 as the reference assembler does', () => {
  const words = new Uint32Array(constantCode({ first: 0x1122_3344_5566_7788n, second: 1n }, 'arm64').buffer)
  // movz x0, #0x7788; movk x0, #0x5566, lsl #16; movk x0, #0x3344, lsl #32; movk x0, #0x1122, lsl #48; the same for x1;
  // ret
  assert.deepEqual(
    [...words].map(word => word.toString(16)),
    ['d28ef100', 'f2aaacc0', 'f2c66880', 'f2e22440', 'd2800021', 'f2a00001', 'f2c00001', 'f2e00001', 'd65f03c0'],
  )
})

test('constantCode() refuses a processor that it does not know', () => {
  assert.throws(
    () => constantCode({ first: 0n }, 'riscv64'),
    (thrown: unknown) => thrown instanceof FfiError && thrown.kind === 'refused' && thrown.message.includes('riscv64'),
  )
})
