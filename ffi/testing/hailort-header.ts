/** Writes a header of HailoRT for tests: every struct and number of one version of the table, and no function. */
import { parseVersion } from '../hailort/abi/profiles.ts'
import { abiTable, enumOf, layoutOf, statusName } from '../hailort/abi/table.ts'

/**
 * A header with the layout of a version.
 *
 * @param o.grown the struct whose last member lies four bytes further
 * @param o.constants numbers that are not those of the version
 */
export function hailortHeader(
  version: string,
  o: { grown?: string; constants?: Readonly<Record<string, number>> } = {},
): string {
  const of = parseVersion(version)
  const structs = Object.keys(abiTable().structs).flatMap(struct => {
    const layout = layoutOf(struct, of)
    if (!layout) return []
    let at = 0
    const members = layout.fields.flatMap(([name, offset, size], i) => {
      const pad = offset - at + (i === layout.fields.length - 1 && struct === o.grown ? 4 : 0)
      at = offset + size
      return [
        ...(pad > 0 ? [`char pad${i}[${pad}];`] : []),
        name === '(union)' ? `char union${i}[${size}];` : `char ${name}[${size}];`,
      ]
    })
    const tail = layout.size - at
    return (
      `typedef struct __attribute__((packed)) { ${members.join(' ')} ${tail > 0 ? `char tail[${tail}];` : ''} ` +
      `} ${struct};`
    )
  })
  const statuses = Array.from({ length: 100 }, (_, code) => [statusName(code, of), code] as const).filter(
    ([name]) => name !== undefined,
  )
  const constants = new Map<string, number>([
    ...Object.keys(abiTable().enums).flatMap(name => Object.entries(enumOf(name, of))),
    ...(statuses as [string, number][]),
    ...Object.entries(o.constants ?? {}),
  ])
  return [...structs, ...[...constants].map(([name, value]) => `#define ${name} ${value}`), ''].join('\n')
}
