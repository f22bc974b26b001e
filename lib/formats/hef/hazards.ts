/** Collects what in a HEF makes HailoRT crash, or refuse it with a status that does not tell why. */
import type { HefHazard } from './types.ts'

const everywhere = [4, 5] as const
/** Nobody reads further, and a damaged file may hold a hazard in every byte. */
const hazardsMax = 100

/**
 * A list that grows while a file is read, up to a hundred. `libraries` are the major versions that mind; both when left
 * out.
 */
export class Hazards {
  readonly list: HefHazard[] = []

  /** The library would crash. */
  crash(message: string, libraries: HefHazard['libraries'] = everywhere): void {
    this.#add({ effect: 'crash', libraries, message })
  }

  /** The library would answer with a status. */
  refuse(message: string, libraries: HefHazard['libraries'] = everywhere): void {
    this.#add({ effect: 'refusal', libraries, message })
  }

  #add(hazard: HefHazard): void {
    if (this.list.length < hazardsMax) this.list.push(hazard)
  }
}
