#!/usr/bin/env -S npx tsx
/**
 * Explain a log: why did this compiler, or this runtime, fail?
 *
 * Reads any vendor log whole and says the bucket, the evidence, the cause and the next knob. With `--jsonl` it scores
 * a file of
 * `{"text": …, "expected_bucket": …}` rows and prints the misses.
 *
 *   npx tsx runbooks/explain-log.ts --log allocator.log
 *   npx tsx runbooks/explain-log.ts --jsonl failures.jsonl
 */
import { explainLog, logText, scoreRows } from '../lib/failure/explain.ts'
import { readFile } from '../lib/host/files.ts'
import { readNdjson } from '../lib/host/ndjson.ts'
import { usageError } from '../lib/base/errors.ts'
import { file, number, runbook } from '../lib/notebook/run/runbook.ts'
import { json, table } from '../lib/notebook/display/show.ts'

export default runbook(
  import.meta,
  {
    asks: 'why did this compiler, or this runtime, fail?',
    inputs: {
      log: file({ optional: true, help: 'a log, or any part of one' }),
      jsonl: file({ optional: true, help: 'rows of {text, expected_bucket} to score' }),
      atLeast: number({ default: 34 / 35, min: 0, max: 1, help: 'the share of rows that must be right' }),
    },
    evidence: false,
    steps: ({ log, jsonl }) => [log ? `read ${log} and classify it` : `score ${jsonl}`],
  },
  async ({ inputs, cell, gate, line, next }) => {
    const { bareCommand } = await import('../lib/systems/monolithic/knob/knob-command.ts')
    if ((inputs.log === undefined) === (inputs.jsonl === undefined)) {
      throw usageError('Cannot explain: give one of --log and --jsonl', 'npx tsx runbooks/explain-log.ts --log FILE')
    }
    if (inputs.jsonl !== undefined) {
      const { k, n, misses } = await cell(`Score ${inputs.jsonl}`, ({ show }) => {
        const score = scoreRows(rowsOf(inputs.jsonl!))
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
    const { failure, cause, nextKnob } = await cell(`Read ${inputs.log}`, ({ show }) => {
      const explained = explainLog(logText(inputs.log!, readFile(inputs.log!)))
      show(json(explained.failure, { title: 'all that was read' }))
      return explained
    })
    line(`bucket: ${failure.bucket}`)
    line(`evidence: ${failure.evidence.replaceAll(/\s+/g, ' ')}`)
    if (failure.milestone) line(`reached: ${failure.milestone}`)
    line(`cause: ${cause}`)
    line(`next knob: ${nextKnob}`)
    gate('the log is understood', failure.bucket !== 'unknown', { equals: true })
    next({
      pass: bareCommand(failure) ?? nextKnob,
      fail: 'look for the first [error] line, and report the log so that it gets a bucket',
    })
  },
)

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
