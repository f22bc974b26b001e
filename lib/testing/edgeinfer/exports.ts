/**
 * An export to test with: the shipped encoder, with a motif head of fixed numbers in place of a trained one.
 */
import { float32 } from '../../formats/tensors/tensor.ts'
import { harLabels } from '../../systems/edgeinfer/data/read.ts'
import { openDonor, writeExport, type Exported } from '../../systems/edgeinfer/export/author.ts'

/** Write an export into `folder`, in a fraction of a second. */
export async function makeExport(folder: string): Promise<Exported> {
  const donor = await openDonor('shipped')
  const head = {
    weight: float32(
      [12, 64],
      Float32Array.from({ length: 768 }, (_, i) => Math.sin(i * 1.3) / 4),
    ),
    bias: float32([12], new Float32Array(12)),
  }
  const motifs = harLabels.flatMap((name, label) => [1, 2].map(n => ({ name: `${name}-${n}`, label })))
  return writeExport(folder, { donor, trained: { head, motifs }, labels: [...harLabels] })
}
