/**
 * The load generator's own process: takes a plan over the parent's channel and sends the result back.
 */
import { generateLoad, type LoadPlan } from './generator.ts'

process.on('message', (plan: LoadPlan) => {
  void generateLoad(plan).then(
    result => process.send!({ result }),
    (thrown: unknown) => process.send!({ error: String(thrown) }),
  )
})
