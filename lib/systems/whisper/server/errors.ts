/**
 * Errors as OpenAI's API writes them: four keys, always all four.
 */
import { Problem } from '../../../serve/http.ts'

/** `error.type` of OpenAI's API. */
export type ErrorType = 'invalid_request_error' | 'server_error' | 'authentication_error' | 'rate_limit_error'

/** What an error says beside its message. */
export interface ApiErrorOptions {
  readonly status?: number
  readonly type?: ErrorType
  readonly param?: string | null
  readonly code?: string | null
  readonly headers?: Record<string, string>
  readonly cause?: unknown
}

/** A refusal with OpenAI's fields; 400 and `invalid_request_error` unless told. */
export function apiError(message: string, o: ApiErrorOptions = {}): Problem {
  return new Problem(o.status ?? 400, o.code ?? '', message, {
    details: { type: o.type ?? 'invalid_request_error', param: o.param ?? null, code: o.code ?? null },
    headers: o.headers ?? {},
    cause: o.cause,
  })
}

/** The type that belongs to a status of the HTTP pieces themselves. */
function typeOf(status: number): ErrorType {
  if (status === 401 || status === 403) return 'authentication_error'
  if (status === 429) return 'rate_limit_error'
  return status >= 500 || status === 413 ? 'server_error' : 'invalid_request_error'
}

/** `{error: {message, type, param, code}}` of any refusal. */
export function errorBody(problem: Problem): unknown {
  const { type = typeOf(problem.status), param = null, code = problem.code } = problem.details
  return { error: { message: problem.message, type, param, code } }
}
