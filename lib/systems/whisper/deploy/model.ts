/**
 * The step that gives the service its model: a copy of an exported one, by the name in its configuration.
 */
import { relative } from 'node:path'
import { treeStep } from '../../../deploy/files.ts'
import type { Step } from '../../../deploy/steps.ts'
import type { Target } from '../../../deploy/target.ts'
import { exportedFolder } from '../model.ts'
import { findModel } from '../store.ts'
import { paths, serviceOwner } from './layout.ts'

/**
 * Copy a model from `store` to the service; its graphs are written first where only weights are there.
 * @throws {RunbookError} usage for an unknown name; blocked when the model is in neither place, with the command that
 *   brings it
 */
export function modelStep(target: Target, o: { model: string; store: string }): Step {
  const copy = (folder: string) =>
    treeStep(target, `${paths.models}/${relative(o.store, folder)}`, { from: folder, owner: serviceOwner })
  const find = () => findModel(o.model, { store: o.store })
  return {
    name: `model ${o.model}`,
    async check(context) {
      const found = find()
      if (found.kind === 'exported') return await copy(found.folder).check(context)
      return { state: 'differs', found: `only weights are in ${found.folder}`, change: `export to ${found.exportTo}` }
    },
    async apply(context) {
      await copy(await exportedFolder({ model: o.model, store: o.store })).apply(context)
    },
  }
}
