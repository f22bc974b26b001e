/**
 * Reads labelled recordings: those that ship, a folder laid out as UCI HAR, or a CSV file.
 */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { usageError } from '../../../base/errors.ts'
import { readNpz } from '../../../formats/tensors/npz.ts'
import { readFile } from '../../../host/files.ts'
import { edgeinferContract, shippedFile } from '../contract.ts'
import { readCsv } from './csv.ts'
import type { DataSet, Recording, Split } from './recording.ts'

/** The activities of UCI HAR, in the order of its labels 1 to 6. */
export const harLabels = ['walking', 'walking_upstairs', 'walking_downstairs', 'sitting', 'standing', 'laying'] as const

const harSamples = 128
const harRateHz = 50
/** m/s² in one g: the standard acceleration of gravity, exactly. */
const gravity = 9.80665

/**
 * A data set from a path, or the shipped one without.
 * @param rateHz the rate of a CSV file; other sets know theirs
 * @throws RunbookError blocked when it is absent; usage when it is neither a UCI HAR folder nor a CSV file, or
 *   malformed
 */
export async function readDataSet(path?: string, o: { rateHz?: number } = {}): Promise<DataSet> {
  if (path === undefined) return readShipped()
  if (existsSync(path) && statSync(path).isDirectory()) return readUciHar(path)
  return readCsv(path, o.rateHz ?? edgeinferContract().model.rateHz)
}

/** The 540 recordings of `contracts/edgeinfer`. */
async function readShipped(): Promise<DataSet> {
  const entries = await readNpz(shippedFile('windows'))
  const read = (name: string) => entries.get(name)!.tensor()
  const [signal, scale, label, split, row] = ['signal', 'scale', 'label', 'split', 'row'].map(name => read(name).data)
  const size = harSamples * 6
  const recordings = Array.from(label as Uint8Array, (kind, i): Recording => {
    const counts = (signal as Int16Array).subarray(i * size, (i + 1) * size)
    const part: Split = split![i] === 0 ? 'train' : 'test'
    return {
      signal: Float32Array.from(counts, (count, k) => count * Number(scale![k % 6])),
      channels: 6,
      rateHz: harRateHz,
      label: kind,
      split: part,
      name: `${part}-${row![i]}`,
    }
  })
  return { recordings, labels: harLabels, from: 'shipped: a subset of UCI HAR (CC BY 4.0)' }
}

/** A folder that holds UCI HAR's inertial signals, flat or as UCI lays them out. */
function readUciHar(folder: string): DataSet {
  const recordings = (['train', 'test'] as const).flatMap(split => {
    const places = [folder, join(folder, split), join(folder, split, 'Inertial Signals')]
    const find = (name: string) => {
      const found = places.map(place => join(place, name)).find(existsSync)
      if (found !== undefined) return found
      throw usageError(
        `Cannot read "${folder}" as UCI HAR: there is no ${name}`,
        'give the folder that holds it: --data of edgeinfer-export',
      )
    }
    const labels = numbersOf(find(`y_${split}.txt`))
    const columns = ['total_acc_x', 'total_acc_y', 'total_acc_z', 'body_gyro_x', 'body_gyro_y', 'body_gyro_z'].map(
      (name, c) => {
        const path = find(`${name}_${split}.txt`)
        const values = numbersOf(path)
        if (values.length !== labels.length * harSamples) {
          const state = `it holds ${values.length} numbers for ${labels.length} labels`
          throw usageError(`Cannot read "${path}": ${state}`, `there are ${harSamples} to a label: copy the file again`)
        }
        return c < 3 ? values.map(value => value * gravity) : values
      },
    )
    return Array.from(labels, (label, i) => harRecording(columns, { i, label, split }))
  })
  return { recordings, labels: harLabels, from: 'UCI HAR' }
}

function harRecording(
  columns: readonly Float64Array[],
  { i, label, split }: { i: number; label: number; split: Split },
): Recording {
  const signal = new Float32Array(harSamples * 6)
  for (let t = 0; t < harSamples; t++)
    for (const [c, column] of columns.entries()) signal[t * 6 + c] = column[i * harSamples + t]!
  if (!Number.isInteger(label) || label < 1 || label > 6)
    throw usageError(`Cannot read y_${split}.txt: label ${i} is ${label}`, 'UCI HAR has labels 1 to 6')
  return { signal, channels: 6, rateHz: harRateHz, label: label - 1, split, name: `${split}-${i}` }
}

function numbersOf(path: string): Float64Array {
  const words = readFile(path).toString('latin1').trim().split(/\s+/)
  const numbers = Float64Array.from(words, Number)
  const bad = numbers.findIndex(value => !Number.isFinite(value))
  if (bad >= 0) throw usageError(`Cannot read "${path}": word ${bad + 1} is "${words[bad]}"`, 'copy the file again')
  return numbers
}
