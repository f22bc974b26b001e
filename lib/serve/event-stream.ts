/**
 * Sends events to a client while work goes on: server-sent events, or lines of JSON.
 *
 * `send` resolves when the client has room for more, so that a slow reader slows the work and fills no memory, and it
 * throws when the client has gone.
 */
import { once } from 'node:events'
import type { FastifyReply } from 'fastify'

/** An answer under way. */
export interface EventStream {
  /** @throws Error when the client has gone */
  send(data: unknown): Promise<void>
  /** End it; for server-sent events `last` is sent as it is before the end, such as `[DONE]`. */
  end(last?: string): void
}

/** How an event is written. */
export type EventForm = 'sse' | 'ndjson'

const contentTypes: Readonly<Record<EventForm, string>> = {
  sse: 'text/event-stream; charset=utf-8',
  ndjson: 'application/x-ndjson; charset=utf-8',
}

/**
 * Take the reply over and stream to it. Headers that were set before are kept.
 *
 * @example
 * ```ts
 * import { openService } from './http.ts'
 * const service = await openService({ bodyBytesMax: 1000 })
 * service.app.get('/events', async (_, reply) => {
 *   const stream = openEventStream(reply, 'sse')
 *   await stream.send({ text: 'hello' })
 *   stream.end('[DONE]')
 * })
 * ```
 */
export function openEventStream(reply: FastifyReply, form: EventForm): EventStream {
  const { raw } = reply
  reply.hijack()
  const kept = Object.entries(reply.getHeaders()).filter(([, value]) => value !== undefined)
  raw.writeHead(200, {
    ...(Object.fromEntries(kept) as Record<string, string>),
    'content-type': contentTypes[form],
    'cache-control': 'no-cache',
    'x-accel-buffering': 'no',
  })
  raw.flushHeaders()
  const write = async (text: string) => {
    if (raw.destroyed) throw new Error('the client went away')
    if (raw.write(text)) return
    await Promise.race([once(raw, 'drain'), once(raw, 'close')])
    if (raw.destroyed) throw new Error('the client went away')
  }
  return {
    send: data => write(form === 'sse' ? `data: ${JSON.stringify(data)}\n\n` : `${JSON.stringify(data)}\n`),
    end(last) {
      if (raw.destroyed) return
      raw.end(form === 'sse' && last !== undefined ? `data: ${last}\n\n` : undefined)
    },
  }
}
