/**
 * The other side of `isolate.ts`: opens one backend and answers, one call after the other.
 *
 * Run as a process only; it ends when its parent does. An operating error crosses with its exit name and hint.
 */
import { asError, RunbookError } from '../notebook/errors.ts'
import { openBackend, type Backend } from './backend.ts'
import type { OpenedModel, Reply, Request } from './isolate.ts'

let model: Backend | undefined

async function answer(request: Request): Promise<OpenedModel | Awaited<ReturnType<Backend['infer']>> | null> {
  if (request.ask === 'open') {
    model = await openBackend(request.name, request.path, { ...request.options, isolate: false })
    const { name, device, inputs, outputs, loadMs } = model
    return { name, device, inputs, outputs, loadMs }
  }
  if (request.ask === 'infer') return model!.infer(request.feeds)
  await model?.[Symbol.asyncDispose]()
  model = undefined
  return null
}

function refusal(id: number, thrown: unknown): Reply {
  if (thrown instanceof RunbookError) return { id, ok: false, exit: thrown.exit, message: thrown.message, hint: thrown.hint }
  return { id, ok: false, exit: null, message: asError(thrown).message, hint: '' }
}

if (process.send && import.meta.filename === process.argv[1]) {
  let last: Promise<void> = Promise.resolve()
  process.on('message', (request: Request) => {
    last = last.then(async () => {
      const reply = await answer(request).then((value): Reply => ({ id: request.id, ok: true, value }), (thrown: unknown) => refusal(request.id, thrown))
      process.send!(reply)
    })
  })
  process.on('disconnect', () => process.exit())
}
