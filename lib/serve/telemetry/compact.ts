/**
 * Reads a telemetry folder as one table, and packs its closed segments into Parquet.
 *
 * DuckDB does the work. A table of JSON lines that takes seconds to scan takes a tenth as Parquet; the raw windows stay
 * in the file. Segments are deleted only after the Parquet file is whole under its own name.
 */
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { usageError } from '../../base/errors.ts'
import { listSegments } from './segments.ts'

/** What was packed. */
export interface Compaction {
  readonly path: string
  readonly records: number
  readonly segments: number
}

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`

/** A folder's segments, also an open one, as a query of DuckDB; a damaged line has no `seq` and is passed over. */
function recordsOf(paths: readonly string[]): string {
  const options = "format = 'newline_delimited', ignore_errors = true, union_by_name = true"
  return `SELECT * FROM read_json([${paths.map(quoted).join(', ')}], ${options}) WHERE seq IS NOT NULL`
}

/**
 * Rows of a query over a folder; the query calls the table `telemetry`.
 * @throws RunbookError usage when the folder holds no segment
 *
 * @example
 * ```ts ignore
 * await queryTelemetry('telemetry', 'SELECT quantile_cont(latency_s, 0.95) AS p95 FROM telemetry')
 * ```
 */
export async function queryTelemetry(folder: string, query: string): Promise<Record<string, unknown>[]> {
  const paths = (await listSegments(folder)).filter(({ bytes }) => bytes > 0).map(({ path }) => path)
  if (paths.length === 0)
    throw usageError(`Cannot query the telemetry of "${folder}": it holds no segment`, 'give the folder of a service')
  const { DuckDBInstance } = await import('@duckdb/node-api')
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  try {
    const reader = await connection.runAndReadAll(`WITH telemetry AS (${recordsOf(paths)}) ${query}`)
    return reader.getRowObjectsJson() as Record<string, unknown>[]
  } finally {
    connection.closeSync()
  }
}

/**
 * Pack every closed segment of a folder into one Parquet file, `<name>.parquet`, and delete the segments.
 * @returns null when there is none
 */
export async function compactTelemetry(folder: string, name: string): Promise<Compaction | null> {
  const closed = (await listSegments(folder)).filter(({ isOpen, bytes }) => !isOpen && bytes > 0)
  if (closed.length === 0) return null
  const path = join(folder, `${name}.parquet`)
  const { DuckDBInstance } = await import('@duckdb/node-api')
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  try {
    const part = quoted(`${path}.part`)
    const rows = `${recordsOf(closed.map(segment => segment.path))} ORDER BY seq`
    await connection.run(`COPY (${rows}) TO ${part} (FORMAT parquet, COMPRESSION zstd)`)
    const reader = await connection.runAndReadAll(`SELECT count(*)::INTEGER AS n FROM read_parquet(${part})`)
    await rename(`${path}.part`, path)
    for (const segment of closed) await rm(segment.path)
    return { path, records: Number(reader.getRowObjectsJson()[0]!.n), segments: closed.length }
  } finally {
    connection.closeSync()
  }
}
