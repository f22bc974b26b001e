import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import test from 'node:test'
import type { Target } from './target.ts'
import { holds, differs, applySteps, type Step } from './steps.ts'
import { enabledStep, healthStep, reloadStep, renderUnit, runningStep, stoppedStep, unitWord } from './systemd.ts'

/** A service manager that behaves as systemd does towards the commands of the steps. */
function manager(state = { active: 'inactive', enabled: false }) {
  const commands: string[] = []
  const target: Target = {
    root: '/',
    isLive: true,
    run(argv) {
      commands.push(argv.slice(1).join(' '))
      const verb = argv[1]
      if (verb === 'is-active') return answer(state.active, state.active === 'active' ? 0 : 3)
      if (verb === 'is-enabled') return answer(state.enabled ? 'enabled' : 'disabled', state.enabled ? 0 : 1)
      if (verb === 'enable' || verb === 'disable') state.enabled = verb === 'enable'
      if (verb === 'restart') state.active = state.active === 'broken' ? 'failed' : 'active'
      if (verb === 'stop') state.active = 'inactive'
      return answer('', 0)
    },
  }
  return { target, commands, state }
}
const answer = (stdout: string, exitCode: number) => Promise.resolve({ exitCode, stdout: `${stdout}\n`, stderr: '' })
const statuses = async (...steps: Step[]) => (await applySteps(steps)).map(({ status }) => status)
const program = (isNew: boolean): Step => {
  let wanted = isNew
  return {
    name: 'program',
    check: () => (wanted ? differs('old', 'copy') : holds('same')),
    apply: () => void (wanted = false),
  }
}

test('renderUnit() keeps the order and repeated directives, and refuses a value with a line break', () => {
  const text = renderUnit({
    Unit: [['Description', 'X']],
    Service: [
      ['Environment', 'A=1'],
      ['Environment', 'B=2'],
    ],
  })
  assert.equal(text, '[Unit]\nDescription=X\n\n[Service]\nEnvironment=A=1\nEnvironment=B=2\n')
  assert.throws(() => renderUnit({ Service: [['User', 'x\nExecStartPre=/bin/evil']] }), RangeError)
})

test('unitWord() quotes what systemd would split or expand', () => {
  assert.equal(unitWord('/usr/bin/node'), '/usr/bin/node')
  assert.equal(unitWord('a b'), '"a b"')
  assert.equal(unitWord('100%'), '100%%')
  assert.equal(unitWord('$HOME "x"'), '"$$HOME \\"x\\""')
})

test('the steps of a service start it once, and restart it only after its program changed', async () => {
  const { target, commands } = manager()
  const steps = (isNew: boolean) => [
    program(isNew),
    reloadStep(target, ['program']),
    enabledStep(target, 'x.service'),
    runningStep(target, 'x.service', ['program']),
  ]
  assert.deepEqual(await statuses(...steps(true)), ['changed', 'changed', 'changed', 'changed'])
  assert.deepEqual(await statuses(...steps(false)), ['ok', 'ok', 'ok', 'ok'])
  assert.deepEqual(await statuses(...steps(true)), ['changed', 'changed', 'ok', 'changed'])
  assert.equal(commands.filter(command => command.startsWith('restart')).length, 2)
})

test('runningStep() fails when the service does not come up', async () => {
  const { target } = manager({ active: 'broken', enabled: true })
  const [result] = await applySteps([runningStep(target, 'x.service', [])])
  assert.equal(result!.status, 'failed')
  assert.match(result!.detail, /still failed/)
})

test('stoppedStep() and enabledStep(false) take a service down once', async () => {
  const { target } = manager({ active: 'active', enabled: true })
  const steps = [stoppedStep(target, 'x.service'), enabledStep(target, 'x.service', false)]
  assert.deepEqual(await statuses(...steps), ['changed', 'changed'])
  assert.deepEqual(await statuses(...steps), ['ok', 'ok'])
})

test('a root that is not live enables offline, and never asks the manager of this target', async () => {
  const { target, commands } = manager()
  const other: Target = {
    ...target,
    root: '/tmp/r',
    isLive: false,
    run: argv => target.run(argv.filter(word => !word.startsWith('--root'))),
  }
  const steps = [
    program(true),
    reloadStep(other, ['program']),
    runningStep(other, 'x.service', ['program']),
    enabledStep(other, 'x.service'),
    healthStep(other, 'http://127.0.0.1:1/', { unit: 'x', timeoutMs: 1 }),
  ]
  assert.deepEqual(await statuses(...steps), ['changed', 'not here', 'not here', 'changed', 'not here'])
  assert.deepEqual(
    commands.filter(command => /active|restart|reload/.test(command)),
    [],
  )
})

test('healthStep() waits until the address answers, and names what it said when it does not', async t => {
  let asked = 0
  const server = createServer((_, response) => void response.writeHead(asked++ < 1 ? 503 : 200).end())
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', () => resolve()))
  t.after(() => server.close())
  const { target } = manager()
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/health`
  assert.deepEqual(await statuses(healthStep(target, url, { unit: 'x', timeoutMs: 20_000 })), ['ok'])
  assert.equal(asked, 2)
  asked = -1_000_000
  const [result] = await applySteps([healthStep(target, url, { unit: 'x', timeoutMs: 1 })])
  assert.equal(result!.status, 'failed')
  assert.match(result!.detail, /HTTP 503/)
  assert.match(result!.hint, /journalctl -u x/)
})
