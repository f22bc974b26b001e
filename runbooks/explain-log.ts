#!/usr/bin/env -S npx tsx
/**
 * Explain a log: why did this compiler, or this runtime, fail?
 *
 * Reads any vendor log, of any length, and says bucket, cause, next knob and evidence. With `--jsonl` it scores a file
 * of `{"text": …, "expected_bucket": …}` rows and prints the misses.
 *
 *   npx tsx runbooks/explain-log.ts allocator.log
 *   npx tsx runbooks/explain-log.ts - < allocator.log
 *   npx tsx runbooks/explain-log.ts --jsonl failures.jsonl
 */
import { fstatSync } from 'node:fs'
import { explainLog, scoreRows } from '../lib/failure/explain.ts'
import { readLogText } from '../lib/failure/log/digest.ts'
import { readNdjson } from '../lib/host/ndjson.ts'
import { usageError } from '../lib/base/errors.ts'
import { file, number, runbook } from '../lib/notebook/run/runbook.ts'
import { json, table } from '../lib/notebook/display/show.ts'
import { runbookCommand } from '../lib/host/typescript.ts'

const usage = `${runbookCommand('runbooks/explain-log.ts')} FILE, or - for standard input`

export default runbook(
  import.meta,
  {
    asks: 'why did this compiler, or this runtime, fail?',
    inputs: {
      log: file({ optional: true, late: true, help: 'a log, or any part of one; - reads standard input' }),
      jsonl: file({ optional: true, help: 'rows of {text, expected_bucket} to score' }),
      atLeast: number({ default: 34 / 35, min: 0, max: 1, help: 'the share of rows that must be right' }),
    },
    operand: 'log',
    evidence: false,
    narrates: false,
    steps: ({ log, jsonl }) => [jsonl ? `score ${jsonl}` : `read ${log ?? 'standard input'} and classify it`],
  },
  async ({ inputs, cell, gate, line, hint, next }) => {
    const { bareCommand } = await import('../lib/systems/monolithic/knob/knob-command.ts')
    const { jsonl } = inputs
    const log = inputs.log ?? (jsonl === undefined && isPiped() ? '-' : undefined)
    if ((log === undefined) === (jsonl === undefined))
      throw usageError('Cannot explain: give one of a log and --jsonl', usage)
    if (jsonl !== undefined) {
      const { k, n, misses } = await cell(`Score ${jsonl}`, ({ show }) => {
        const score = scoreRows(rowsOf(jsonl))
        show(
          table(
            score.misses.map(miss => ({ expected: miss.expected, got: miss.got, text: miss.text.slice(0, 200) })),
            { title: 'misses' },
          ),
        )
        return score
      })
      for (const miss of misses)
        line(`miss expected=${miss.expected} got=${miss.got} text=${JSON.stringify(miss.text.slice(0, 160))}`)
      line(`score=${k}/${n}`)
      gate('share of rows in their bucket', k / n, { atLeast: inputs.atLeast })
      return
    }
    if (log!.includes('\0')) throw usageError('Cannot explain several logs at once', usage)
    const { failure, lines } = await cell(`Read ${log}`, async ({ show }) => {
      const text = log === '-' ? await readLogText('standard input', process.stdin) : await readLogText(log!)
      const explained = explainLog(text)
      show(json(explained.failure, { title: 'all that was read' }))
      return explained
    })
    for (const each of lines) line(each)
    gate('the log is understood', failure.bucket !== 'unknown', { equals: true })
    const command = bareCommand(failure)
    if (command) next({ pass: command })
    hint({ pass: failure.fix, fail: 'look for the first [error] line, and report the log so that it gets a bucket' })
  },
)

/** Whether a shell pipes or sends a file here; a terminal and a socket of another program may never end. */
function isPiped(): boolean {
  try {
    const stat = fstatSync(0)
    return stat.isFIFO() || stat.isFile()
  } catch {
    return false
  }
}

function rowsOf(path: string): { text: string; expected_bucket: string }[] {
  return readNdjson(path).map((row, i) => {
    const { text, expected_bucket } = row as { text?: unknown; expected_bucket?: unknown }
    if (typeof text === 'string' && typeof expected_bucket === 'string') return { text, expected_bucket }
    throw usageError(
      `Cannot score "${path}": row ${i + 1} has no text or no expected_bucket`,
      'one {"text": …, "expected_bucket": …} a line',
    )
  })
}
