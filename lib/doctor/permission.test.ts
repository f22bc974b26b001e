import assert from 'node:assert/strict'
import test from 'node:test'
import { fakeMachine } from '../testing/machine/fake-machine.ts'
import { accessOf } from './permission.ts'

const node = (mode: number, gid = 44, uid = 0) => ({ mode: 0o020000 | mode, uid, gid })
const user = (gids: readonly number[], uid = 1000) => fakeMachine({ machine: { user: { uid, gids, name: 'ada' } } })

test('accessOf() grants by owner, by group and by others, each by its own bits', () => {
  assert.ok(accessOf(user([1000]), node(0o666)).isGranted)
  assert.ok(accessOf(user([1000, 44]), node(0o660)).isGranted)
  assert.ok(accessOf(user([1000]), node(0o600, 44, 1000)).isGranted)
  assert.ok(!accessOf(user([1000]), node(0o660)).isGranted)
  assert.ok(!accessOf(user([1000]), node(0o644)).isGranted, 'reading alone is not enough')
  assert.ok(!accessOf(user([1000, 44]), node(0o606)).isGranted, 'a member of the group does not get what others get')
})

test('accessOf() grants everything to root', () => {
  assert.ok(accessOf(user([0], 0), node(0o000)).isGranted)
})

test('accessOf() names mode, owner and group, and numbers that have no name', () => {
  assert.equal(accessOf(user([1000]), node(0o660)).words, 'rw-rw---- root:video')
  assert.equal(accessOf(user([1000]), node(0o640, 777, 55)).words, 'rw-r----- 55:777')
})

test('accessOf() proposes to join the group only where the group may, and never the group root', () => {
  assert.equal(accessOf(user([1000]), node(0o660)).joining, 'sudo usermod -aG video ada # then log in again')
  assert.equal(accessOf(user([1000]), node(0o600)).joining, null)
  assert.equal(accessOf(user([1000]), node(0o660, 0)).joining, null)
  assert.equal(accessOf(user([1000, 44]), node(0o660)).joining, null)
})
