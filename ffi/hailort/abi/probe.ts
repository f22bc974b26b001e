/**
 * Compares a header of this machine with what the bindings assume.
 *
 * Writes a C program over a HailoRT header that prints sizes and offsets, and compares its answer with the measured
 * table. The doctor runs it over the vendor's own header where one is installed; the tests run it over the stand-in's.
 */
import { layoutOf } from './table.ts'
import type { Version } from './profiles.ts'

/** Members that lie in unions without a name are reached through the names inside; the table has only the union. */
const isNamed = (field: string): boolean => field !== '(union)'

/**
 * A C program that prints one line for each struct and member: `name size` or `name.member offset size`.
 *
 * @param o.header what is included: `hailo/hailort.h`
 */
export function probeSource(o: { header: string; structs: readonly string[]; version: Version }): string {
  const lines = o.structs.flatMap(struct => {
    const layout = layoutOf(struct, o.version)
    if (!layout) return []
    const members = layout.fields.map(([name]) => name).filter(isNamed)
    return [
      `  printf("${struct} %zu\\n", sizeof(${struct}));`,
      ...members.map(
        member =>
          `  printf("${struct}.${member} %zu %zu\\n", offsetof(${struct}, ${member}), sizeof(((${struct} ` +
          `*)0)->${member}));`,
      ),
    ]
  })
  return [
    `#include <stddef.h>`,
    `#include <stdio.h>`,
    `#include "${o.header}"`,
    '',
    'int main(void)',
    '{',
    ...lines,
    '  return 0;',
    '}',
    '',
  ].join('\n')
}

/**
 * What a probe's output contradicts in the table, one sentence each; empty when all agrees. A probe that says nothing
 * is a problem.
 */
export function compareProbe(o: { output: string; structs: readonly string[]; version: Version }): string[] {
  const said = new Map(
    o.output
      .trim()
      .split('\n')
      .map(line => [line.split(' ')[0]!, line.split(' ').slice(1).map(Number)]),
  )
  return o.structs.flatMap(struct => {
    const layout = layoutOf(struct, o.version)
    if (!layout) return [`the table has no ${struct}`]
    const wanted: [string, number[]][] = [
      [struct, [layout.size]],
      ...layout.fields
        .filter(([name]) => isNamed(name))
        .map(([name, offset, size]): [string, number[]] => [`${struct}.${name}`, [offset, size]]),
    ]
    return wanted.flatMap(([name, numbers]) => {
      const given = said.get(name)
      return given?.join() === numbers.join()
        ? []
        : [`${name}: the header has ${given?.join(' ') ?? 'nothing'}, and the table ${numbers.join(' ')}`]
    })
  })
}
