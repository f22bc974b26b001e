import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { float32 } from '../lib/formats/tensors/tensor.ts'
import { parakeetContract } from '../lib/systems/parakeet/contract/read.ts'
import { syntheticModel } from '../lib/systems/parakeet/export/sources.ts'
import { writeModelFolder } from '../lib/systems/parakeet/export/write-model.ts'
import { nemoFile } from '../lib/testing/nemo/write.ts'
import { runInProcess } from '../lib/testing/run-in-process.ts'
import { tinyNemoConfig } from '../lib/testing/tdt/tiny-nemo.ts'
import contract from './parakeet-contract.ts'

const folder = () => mkdtempSync(join(tmpdir(), 'rungbook-'))
const run = (...argv: string[]) => runInProcess(contract, ['--run-ts', 't', ...argv])

test('parakeet-contract finds a source for every value, and lists each gap with a follow-up', async () => {
  for (const version of ['v3', 'v2']) {
    const ran = await run('--contract', version)
    assert.match(ran.verdict, /^PASS parakeet-contract gates=2\/2 /)
    const document = ran.read('CONTRACT_SOURCES.md')
    assert.match(document, /\| \/features\/preemphasis \| 0\.97 \| code \| NVIDIA-NeMo\/NeMo@8cfedd72:/)
    assert.match(document, /\| \/streaming\/chunk_size\/1 \| 48 \| derived \| .* \| computed again \|/)
    const gaps = JSON.parse(ran.read('gaps.json'))
    assert.ok(gaps.length > 20 && gaps.every(({ followUp }: { followUp: string }) => followUp !== ''))
  }
})

test('parakeet-contract fails where a .nemo or a folder contradicts it, and says which values', async () => {
  const path = join(folder(), 'm.nemo')
  writeFileSync(path, nemoFile({ config: tinyNemoConfig(), weights: new Map([['w', float32([1], [1])]]) }))
  const ofNemo = await run('--nemo', path)
  assert.match(ofNemo.verdict, /^FAIL parakeet-contract gates=3\/4 /)
  const document = ofNemo.read('CONTRACT_SOURCES.md')
  assert.match(document, /\| \/encoder\/d_model \| 1024 \| .* \| CONTRADICTED: 32 \|/)
  assert.match(document, /\| \/features\/n_fft \| 512 \| .* \| confirmed by model_config\.yaml preprocessor\.n_fft \|/)
  const model = folder()
  writeModelFolder(model, syntheticModel('tiny', parakeetContract(), 1))
  const ofFolder = await run('--model-dir', model)
  assert.match(ofFolder.verdict, /^FAIL parakeet-contract /)
  assert.match(ofFolder.read('CONTRACT_SOURCES.md'), /\/joint\/joint_vocab_size \| 8198 \| .* \| CONTRADICTED: 38 \|/)
})

test('parakeet-contract compares type and all, and refuses a meta that states nothing', async () => {
  const path = join(folder(), 'meta.json')
  writeFileSync(path, JSON.stringify({ features: { n_mels: '128', n_fft: 512 } }))
  const typed = await run('--meta', path)
  assert.match(typed.read('CONTRACT_SOURCES.md'), /\| \/features\/n_mels \| 128 \| .* \| CONTRADICTED: "128" \|/)
  writeFileSync(path, '{"other": 1}')
  assert.match((await run('--meta', path)).verdict, /^USAGE parakeet-contract /)
})
