/**
 * The process that `parent.ts` starts: opens one model and answers, one question after the other.
 *
 * It ends when its parent does. An operating error crosses with its exit name and hint. The name of each native call is
 * left in the file that the parent gave.
 */
import { adoptOrphans, endWithParent } from '../../../ffi/parent.ts'
import { forgetCall, traceCalls } from '../../../ffi/trace.ts'
import { Turns } from '../../base/async.ts'
import { asError, RunbookError } from '../../base/errors.ts'
import type { Backend } from '../backend.ts'
import { openBackend } from '../open.ts'
import type { Answer, Reply, Request } from './parent.ts'

let model: Backend | undefined

async function answer(request: Request): Promise<Answer> {
  switch (request.ask) {
    case 'open': {
      model = await openBackend(request.path, { ...request.options, isolate: false })
      const { name, device, inputs, outputs, loadMs, warnings } = model
      return { name, device, inputs, outputs, loadMs, warnings, hasVitals: model.vitals !== undefined }
    }
    case 'infer':
      return model!.infer(request.feeds)
    case 'vitals':
      return model!.vitals!()
    case 'close':
      await model?.[Symbol.asyncDispose]()
      model = undefined
      return null
  }
}

function refusal(id: number, thrown: unknown): Reply {
  if (thrown instanceof RunbookError)
    return { id, ok: false, exit: thrown.exit, message: thrown.message, hint: thrown.hint }
  return { id, ok: false, exit: null, message: asError(thrown).message, hint: '' }
}

if (process.send && import.meta.filename === process.argv[1]) {
  const end = () => process.kill(process.pid, 'SIGKILL')
  // An orderly exit would wait for native calls that are under way.
  process.on('disconnect', end)
  endWithParent(Number(process.argv[3]))
  adoptOrphans()
  traceCalls(Number(process.argv[2]))
  // A Ctrl-C in the terminal reaches this process too; what becomes of it is its parent's to say.
  process.on('SIGINT', () => {})
  const turns = new Turns()
  process.on('message', (request: Request) => {
    void turns.take(async () => {
      const reply = await answer(request).then(
        (value): Reply => ({ id: request.id, ok: true, value }),
        (thrown: unknown) => refusal(request.id, thrown),
      )
      // What was called last belongs to a question that has its answer.
      forgetCall()
      process.send!(reply, undefined, undefined, error => error && end())
    })
  })
}
