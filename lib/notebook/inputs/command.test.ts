import assert from 'node:assert/strict'
import test from 'node:test'
import { commandWith } from './command.ts'
import { choice, text, toggle } from './inputs.ts'

const declared = {
  ladder: choice(['plan', 'temporal'], { default: 'plan', help: 'x' }),
  quickOpt: toggle({ default: true, help: 'x' }),
  mixWav: text({ optional: true, help: 'x' }),
  model: text({ flag: 'the-model', optional: true, help: 'x' }),
}

test('commandWith() leaves out what is at its default, and what is changed to nothing', () => {
  const values = { ladder: 'plan', quickOpt: true, mixWav: 'a.wav', model: undefined }
  assert.equal(commandWith('runbooks/x.ts', { declared, values, change: {} }), 'npx tsx runbooks/x.ts --mix-wav a.wav')
  assert.equal(
    commandWith('runbooks/x.ts', {
      declared,
      values,
      change: { ladder: 'temporal', quickOpt: false, mixWav: undefined, model: "it's" },
    }),
    String.raw`npx tsx runbooks/x.ts --ladder temporal --no-quick-opt --the-model 'it'\''s'`,
  )
})
