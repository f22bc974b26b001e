/**
 * Checks Bearer keys in constant time.
 *
 * No keys means that everybody may: a service on a private network decides that by not setting any.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { Problem } from './problem.ts'

const digest = (key: string) => createHash('sha256').update(key).digest()

/**
 * A hook that lets a request pass only with one of these keys in `Authorization: Bearer <key>`. Digests are compared,
 * so that neither length nor content of a key shows in the time that a refusal takes.
 * @returns for `onRequest`; it throws Problem 401 `invalid_api_key`
 *
 * @example
 * ```ts
 * const hook = bearerKeys(['secret'])
 * await hook({ headers: { authorization: 'Bearer secret' } })
 * ```
 */
export function bearerKeys(keys: readonly string[]): (request: Pick<FastifyRequest, 'headers'>) => Promise<void> {
  const known = keys.filter(key => key !== '').map(digest)
  return async request => {
    if (known.length === 0) return
    const given = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1]
    const mine = digest(given ?? '')
    const isKnown = known.reduce((found, key) => timingSafeEqual(key, mine) || found, false)
    if (given !== undefined && isKnown) return
    throw new Problem(401, 'invalid_api_key', given === undefined ? 'No API key was given' : 'The API key is unknown', {
      headers: { 'www-authenticate': 'Bearer' },
    })
  }
}
