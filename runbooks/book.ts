#!/usr/bin/env -S npx tsx
/**
 * The book: which runbooks are there, and what does each ask?
 *
 * Opens every file in `runbooks/` without running it and lists its question and inputs. With `--json` an agent gets the
 * same as one document. A file that does not open, or asks nothing, fails.
 *
 *   npx tsx runbooks/book.ts
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { flagFromName } from '../lib/notebook/inputs/argv.ts'
import { runbook, type Runbook } from '../lib/notebook/run/runbook.ts'
import { table } from '../lib/notebook/display/show.ts'
import { runbookCommand } from '../lib/host/typescript.ts'

export default runbook(
  import.meta,
  {
    asks: 'which runbooks are there, and what does each ask?',
    inputs: {},
    evidence: false,
    steps: () => ['open every file in runbooks/ and list its question and inputs'],
  },
  async ({ cell, gate, line, next, show }) => {
    const files = readdirSync(import.meta.dirname)
      .filter(name => name.endsWith('.ts') && !name.endsWith('.test.ts'))
      .toSorted()
    const books = await cell(`Open ${files.length} runbooks`, () =>
      Promise.all(
        files.map(async name => {
          const { default: book } = (await import(pathToFileURL(join(import.meta.dirname, name)).href)) as {
            default: Runbook
          }
          return book
        }),
      ),
    )
    for (const book of books) line(`${book.file.padEnd(34)} ${book.sheet.asks}`)
    const inputs = books.flatMap(book =>
      Object.entries(book.sheet.inputs).map(([name, spec]) => ({
        runbook: book.id,
        flag: `--${spec.flag ?? flagFromName(name)}`,
        env: spec.env ?? '',
        default: spec.fallback ?? '',
        help: spec.help,
      })),
    )
    show(table(inputs, { title: 'inputs' }))
    gate('runbooks that ask a question', books.filter(book => book.sheet.asks.endsWith('?')).length, {
      equals: files.length,
    })
    next({ pass: runbookCommand('runbooks/monolithic-sweep.ts') })
  },
)
