/** Puts a training's weights, log and card where they ship, and renders the model card anew. */
import { join } from 'node:path'
import { makeFolder, readFile, writeFileAtomic } from '../../../host/files.ts'
import { cardsIn, cardText, type NetworkCard } from './card.ts'
import { weightsFolder } from './contract.ts'
import type { Trained } from './train.ts'

/**
 * Write weights, log, card and `README.md` of a network into a folder, and give the names of the files.
 * @throws RunbookError blocked when the folder cannot be written
 */
export function ship(card: NetworkCard, trained: Trained, folder: string = weightsFolder): string[] {
  const { network } = card
  makeFolder(folder)
  const files: Readonly<Record<string, string | Uint8Array>> = {
    [card.file]: readFile(trained.weights),
    [`${network}.log.ndjson`]: readFile(trained.log),
    [`${network}.json`]: `${JSON.stringify(card, null, 2)}\n`,
  }
  for (const [name, data] of Object.entries(files)) writeFileAtomic(join(folder, name), data)
  writeFileAtomic(join(folder, 'README.md'), cardText(cardsIn(folder)))
  return [...Object.keys(files), 'README.md']
}
