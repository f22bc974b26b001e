/**
 * Reads recordings from a CSV file, one sample a row.
 *
 * Columns by name, in any order: `ax ay az gx gy gz` in m/s² and rad/s, and if present `mx my mz` in µT; `label`, any
 * word; `recording`, any word; `split`, train or test. Rows of one recording stand together, and one with several
 * labels is cut where the label changes. Without `split`, every third recording is for testing: whole recordings, so
 * that no window of one is in both parts.
 */
import { createReadStream } from 'node:fs'
import { usageError } from '../../../base/errors.ts'
import { fileError } from '../../../host/files.ts'
import { edgeinferContract } from '../contract.ts'
import type { DataSet, Recording, Split } from './recording.ts'

const { channelOrder } = edgeinferContract().model

interface Stretch {
  readonly recording: string
  readonly label: string
  readonly split: string
  readonly values: number[]
}

/**
 * Recordings of a CSV file.
 * @param rateHz samples a second of the file
 * @throws RunbookError blocked when it is absent; usage for a missing column, an unknown split, or a value that is no
 *   finite number
 */
export async function readCsv(path: string, rateHz: number): Promise<DataSet> {
  const { default: papa } = await import('papaparse')
  const stretches: Stretch[] = []
  let line = 1
  let channels: readonly string[] | undefined
  await new Promise<void>((resolve, reject) => {
    const stream = createReadStream(path, 'utf8').on('error', thrown => reject(fileError('read', path, thrown)))
    papa.parse<Record<string, string>>(stream, {
      header: true,
      skipEmptyLines: true,
      step({ data }, parser) {
        try {
          channels ??= channelsOf(data, path)
          addRow(stretches, data, { channels, path, line: ++line })
        } catch (thrown) {
          reject(thrown as Error)
          parser.abort()
        }
      },
      complete: () => resolve(),
    })
  })
  if (channels === undefined)
    throw usageError(`Cannot read "${path}": it holds no samples`, 'see --help for the columns')
  return dataSetOf(stretches, { path, rateHz, channels: channels.length as 6 | 9 })
}

function channelsOf(row: Record<string, string>, path: string): readonly string[] {
  const six = channelOrder.slice(0, 6)
  const missing = six.filter(name => !Object.hasOwn(row, name))
  if (missing.length > 0)
    throw usageError(
      `Cannot read "${path}": it has no column ${missing.join(', ')}`,
      `name the columns ${six.join(',')}`,
    )
  return channelOrder.every(name => Object.hasOwn(row, name)) ? channelOrder : six
}

function addRow(
  stretches: Stretch[],
  row: Record<string, string>,
  o: { channels: readonly string[]; path: string; line: number },
): void {
  const { recording = 'all', label = '', split = '' } = row
  if (!['', 'train', 'test'].includes(split))
    throw usageError(`Cannot read "${o.path}": line ${o.line} has split "${split}"`, 'write train or test')
  const last = stretches.at(-1)
  const goesOn = last?.recording === recording && last.label === label && last.split === split
  const stretch = goesOn ? last : { recording, label, split, values: [] }
  if (!goesOn) stretches.push(stretch)
  for (const name of o.channels) {
    const text = row[name] ?? ''
    const value = Number(text)
    if (text.trim() === '' || !Number.isFinite(value))
      throw usageError(`Cannot read "${o.path}": line ${o.line}, ${name} is "${text}"`, 'give finite numbers')
    stretch.values.push(value)
  }
}

function dataSetOf(
  stretches: readonly Stretch[],
  { path, rateHz, channels }: { path: string; rateHz: number; channels: 6 | 9 },
): DataSet {
  const labels = [...new Set(stretches.map(({ label }) => label))].filter(label => label !== '').toSorted()
  const names = [...new Set(stretches.map(({ recording }) => recording))]
  const splitOf = ({ recording, split }: Stretch): Split =>
    split === 'train' || split === 'test' ? split : names.indexOf(recording) % 3 === 2 ? 'test' : 'train'
  const splits = new Map<string, Split>()
  for (const stretch of stretches) {
    const known = splits.get(stretch.recording)
    const split = splitOf(stretch)
    if (known !== undefined && known !== split)
      throw usageError(`Cannot read "${path}": recording "${stretch.recording}" is in both splits`, 'give it one split')
    splits.set(stretch.recording, split)
  }
  const recordings = stretches.map((stretch, i): Recording => ({
    signal: Float32Array.from(stretch.values),
    channels,
    rateHz,
    label: labels.indexOf(stretch.label),
    split: splitOf(stretch),
    name: `${stretch.recording}#${i}`,
  }))
  return { recordings, labels, from: path }
}
