/**
 * Defines the answer to a request that cannot be served.
 *
 * A `Problem` carries the HTTP status and a code that programs may test; its message is for people. How it is written
 * as a body is the service's own affair (`openService`), because each public interface has an error form of its own.
 */
import type { ZodType } from 'zod'

/** A refusal that the client is told about. Anything else that is thrown while serving is a bug and answered as 500. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly status: number
  readonly code: string
  readonly details: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>

  /**
   * @param status 400 to 599
   * @param code a word in snake case that clients may test: `invalid_shape`
   * @param message one sentence without a full stop
   * @param o.details more fields for the body, such as `schema_hint` or `param`
   * @param o.headers more headers; `retry-after` in whole seconds
   */
  constructor(
    status: number,
    code: string,
    message: string,
    o: { details?: Record<string, unknown>; headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(message, { cause: o.cause })
    this.status = status
    this.code = code
    this.details = o.details ?? {}
    this.headers = o.headers ?? {}
  }
}

/** Codes that this room itself answers with; a service adds its own. */
const frameworkCodes: Readonly<Record<string, string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_INVALID_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid_content_length',
}

const statusCodes: Readonly<Record<number, string>> = {
  400: 'bad_request',
  401: 'unauthorized',
  404: 'not_found',
  405: 'method_not_allowed',
  408: 'request_timeout',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
  431: 'headers_too_large',
}

/** A thrown value as the problem to answer with: refusals of the framework keep their 4xx, all else becomes a 500. */
export function problemFrom(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown
  const { statusCode, code, message } = (thrown ?? {}) as { statusCode?: unknown; code?: unknown; message?: unknown }
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    const known = frameworkCodes[String(code)] ?? statusCodes[statusCode] ?? 'bad_request'
    return new Problem(statusCode, known, String(message), { cause: thrown })
  }
  return new Problem(500, 'internal', 'The service failed; its log has the cause under this request id', {
    cause: thrown,
  })
}

/**
 * A value that a zod schema accepts.
 * @throws Problem 400 `invalid_request` that says which field and why
 *
 * @example
 * ```ts
 * import { z } from 'zod'
 * const { language } = parseWith(z.object({ language: z.string().length(2) }), { language: 'de' })
 * ```
 */
export function parseWith<T>(schema: ZodType<T>, value: unknown, details: Record<string, unknown> = {}): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const where = issue!.path.map(String).join('.')
  throw new Problem(400, 'invalid_request', `${where === '' ? 'the body' : where}: ${issue!.message}`, {
    details: { ...(where === '' ? {} : { param: where }), ...details },
  })
}
