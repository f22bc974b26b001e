/**
 * Lists the weights that a rung takes: names, shapes and what each is.
 */
import { weightSpecs } from '../../../models/convtasnet/weights.ts'
import { runTag, type ConvTasNetOptions } from '../../../models/convtasnet/options.ts'
import { table } from '../../../notebook/display/show.ts'
import type { Inputs } from '../../../notebook/inputs/inputs.ts'
import type { Tools } from '../../../notebook/run/session.ts'

/** What a weight does, by the end of its name. */
const meanings: readonly (readonly [RegExp, string])[] = [
  [/^encoder\.weight$/, 'filters that turn sound into frames'],
  [/^masker\.norm\./, 'scale and shift of each filter (a folded batch norm)'],
  [/^masker\.bottleneck\./, '1x1 convolution into the blocks'],
  [/\.expand\./, '1x1 convolution that opens a block, then ReLU'],
  [/\.norm\d\./, 'scale and shift of each channel (a folded batch norm)'],
  [/\.depthwise\./, 'dilated convolution of each channel by itself, then ReLU'],
  [/\.residual\./, '1x1 convolution on to the next block'],
  [/\.skip\./, '1x1 convolution towards the mask'],
  [/^masker\.mask\./, '1x1 convolution to one mask a source'],
  [/^source_projector\./, 'stacked identities: the frames, once a source'],
  [/^decoder\.reduce\./, '1x1 convolution to the reduced channels'],
  [/^decoder\./, 'filters that turn frames into sound'],
]

/** Each weight of a rung with its shape and its meaning. */
export const weightRows = (rung: ConvTasNetOptions) =>
  weightSpecs(rung).map(({ name, shape }) => ({
    name,
    shape: shape.join(' x '),
    is: meanings.find(([pattern]) => pattern.test(name))?.[1] ?? '',
  }))

/** Show them, and pass. */
export async function printWeights(
  { cell, gate, line }: Pick<Tools<Inputs>, 'cell' | 'gate' | 'line'>,
  rung: ConvTasNetOptions,
): Promise<void> {
  const rows = await cell(`List the weights of ${runTag(rung)}`, ({ show }) => {
    const found = weightRows(rung)
    show(table(found, { title: 'names in --weights FILE' }))
    return found
  })
  for (const { name, shape, is } of rows) line(`${name}\t${shape}\t${is}`)
  gate('weights of the graph', rows.length, { atLeast: 1 })
}
