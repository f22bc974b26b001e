/**
 * Turns a status of HailoRT into an error that says what to do.
 *
 * Every status goes through `check`: the error names the call, what was done to what, the status as this version calls
 * it, the likely cause and the fix.
 */
import { adviceFor } from '../../lib/contract/hailort-status.ts'
import { FfiError } from '../errors.ts'
import { statusName } from './abi/table.ts'
import type { Version } from './abi/profiles.ts'

/** `HAILO_SUCCESS` */
export const success = 0
/** `HAILO_INSUFFICIENT_BUFFER`: the library tells how many there are, and wants more room. */
export const statusInsufficientBuffer = 5

/** A call that HailoRT answered with another status than success. */
export class HailoError extends FfiError {
  /** The function: `hailo_create_vdevice`. */
  readonly call: string
  readonly status: number
  /** `HAILO_TIMEOUT`, in the words of the library's version. */
  readonly statusName: string

  constructor(o: {
    kind: FfiError['kind']
    message: string
    hint: string
    call: string
    status: number
    statusName: string
  }) {
    super(o.kind, o.message, o.hint)
    this.call = o.call
    this.status = o.status
    this.statusName = o.statusName
  }
}

/** What was done when a call failed, as a sentence has it: `open` and `a Hailo device`. */
export interface Deed {
  readonly act: string
  readonly thing: string
}

/** @throws HailoError for every status but success */
export function check(o: { call: string; status: number; version: Version; deed: Deed }): void {
  if (o.status !== success) throw errorOf(o)
}

/** The error for a status. Statuses that an older version knows under another name are explained alike. */
export function errorOf({
  call,
  status,
  version,
  deed,
}: {
  call: string
  status: number
  version: Version
  deed: Deed
}): HailoError {
  const name = statusName(status, version) ?? 'a status that this version does not have'
  const known = adviceFor(call, name)
  const cause = known ? `: ${known.cause}` : ''
  return new HailoError({
    kind: known?.kind ?? (/_NOT_FOUND$|OPEN_FILE/.test(name) ? 'usage' : 'status'),
    message: `Cannot ${deed.act} "${deed.thing}": ${call} answered ${status} ${name}${cause}`,
    hint: known?.fix ?? 'HAILORT_CONSOLE_LOGGER_LEVEL=info shows what HailoRT itself says',
    call,
    status,
    statusName: name,
  })
}
