import assert from 'node:assert/strict'
import test from 'node:test'
import { exchange, rowsOf, sidecarBench, type SidecarBench } from '../../../../testing/edgeinfer/sidecar.ts'
import type { Sidecar } from '../sidecar.ts'

let bench: SidecarBench
test.before(async () => (bench = await sidecarBench()))
test.after(() => bench.end())

interface Answer {
  readonly status: number
  readonly headers: string
  readonly body: Buffer
}

/** One request as it was recorded from a client, with `connection: close` in place of its keep-alive. */
async function send(sidecar: Sidecar, lines: readonly string[], bodies: readonly Uint8Array[]): Promise<Answer> {
  const length = bodies.reduce((sum, body) => sum + body.length, 0)
  const path = '/v2/models/tcn_encoder/infer'
  const head = [`POST ${path} HTTP/1.1`, ...lines, `Content-Length: ${length}`, 'Connection: close', '', '']
  const text = await exchange(sidecar.url, [head.join('\r\n'), ...bodies])
  const end = text.indexOf('\r\n\r\n')
  return {
    status: Number(text.toString('latin1', 9, 12)),
    headers: text.toString('latin1', 0, end).toLowerCase(),
    body: text.subarray(end + 4),
  }
}

interface Tensor {
  readonly name: string
  readonly datatype: string
  readonly shape: number[]
  readonly data?: number[]
  readonly parameters?: { binary_data_size: number }
}

/** Tensors of an answer by name, however they were sent. */
function tensorsOf({ headers, body }: Answer): Record<string, number[]> {
  const length = Number(/inference-header-content-length: (\d+)/.exec(headers)?.[1] ?? body.length)
  const { outputs } = JSON.parse(body.toString('utf8', 0, length)) as { outputs: Tensor[] }
  let at = length
  return Object.fromEntries(
    outputs.map(({ name, datatype, shape, data, parameters }) => {
      assert.equal(datatype, 'FP32')
      const bytes = parameters?.binary_data_size ?? 0
      const values = data ?? [...new Float32Array(new Uint8Array(body.subarray(at, at + bytes)).buffer)]
      at += bytes
      assert.equal(values.length, shape[0]! * shape[1]!)
      return [name, values.map(Math.fround)]
    }),
  )
}

const bytesOf = (window: Float32Array) => new Uint8Array(window.buffer, window.byteOffset, window.byteLength)
const input = '"name":"imu_window","shape":[1,100,9],"datatype":"FP32"'
const both = (binary: boolean) =>
  `"outputs":[{"name":"latent","parameters":{"binary_data":${binary}}},` +
  `{"name":"motif_scores","parameters":{"binary_data":${binary}}}]`
const binaryInput = `"inputs":[{${input},"parameters":{"binary_data_size":3600}}]`

/** tritonclient 2.73: no content type, and the length of the header in a header, for the binary form alone. */
const triton = (headerBytes?: number) => [
  'User-Agent: python/gevent-http-client-2.6.1',
  'x-deadline-ms: 60000',
  ...(headerBytes === undefined ? [] : [`Inference-Header-Content-Length: ${headerBytes}`]),
  'Host: 127.0.0.1:9000',
]
/** kserve 0.21 over httpx 0.28: lower-case names, and the type of the body. */
const kserve = (headerBytes?: number) => [
  'Host: 127.0.0.1:9000',
  'Accept: */*',
  'Accept-Encoding: gzip, deflate',
  'User-Agent: python-httpx/0.28.1',
  'x-deadline-ms: 60000',
  ...(headerBytes === undefined
    ? ['content-type: application/json']
    : [`inference-header-content-length: ${headerBytes}`, 'content-type: application/octet-stream']),
]

test('KServe V2 answers tritonclient and kserve in the form each asks for, all with the same tensors', async () => {
  await using sidecar = await bench.start()
  const [{ window, latent }] = bench.golden as [(typeof bench.golden)[0]]
  const data = `"inputs":[{${input},"data":[${rowsOf(window).flat().join(',')}]}]`
  // What each client's own infer() put on the wire, for its three ways of asking for outputs.
  const requests: [(headerBytes?: number) => string[], string, 'binary' | 'json'][] = [
    [triton, `{"id":"1",${binaryInput},"parameters":{"binary_data_output":true}}`, 'binary'],
    [triton, `{"id":"1",${binaryInput},${both(true)}}`, 'binary'],
    [triton, `{"id":"1",${binaryInput},${both(false)}}`, 'json'],
    [triton, `{"id":"1",${data},"parameters":{"binary_data_output":true}}`, 'binary'],
    [triton, `{"id":"1",${data},${both(false)}}`, 'json'],
    [kserve, `{"id":"1","model_name":"tcn_encoder",${data}}`, 'json'],
    [kserve, `{"id":"1","model_name":"tcn_encoder",${data},${both(true)}}`, 'binary'],
    [kserve, `{"id":"1","model_name":"tcn_encoder",${binaryInput}}`, 'json'],
    [kserve, `{"id":"1","model_name":"tcn_encoder",${binaryInput},${both(true)}}`, 'binary'],
    [kserve, `{"id":"1","model_name":"tcn_encoder",${binaryInput},${both(false)}}`, 'json'],
  ]
  const seen = new Set<string>()
  for (const [client, json, form] of requests) {
    const isBinary = json.includes('binary_data_size')
    const bodies = isBinary ? [Buffer.from(json), bytesOf(window)] : [Buffer.from(json)]
    const answer = await send(sidecar, client(isBinary ? json.length : undefined), bodies)
    assert.equal(answer.status, 200, `${json.slice(0, 200)} ${answer.body.toString()}`)
    assert.equal(answer.headers.includes('inference-header-content-length'), form === 'binary', json.slice(-200))
    const tensors = tensorsOf(answer)
    assert.deepEqual(Object.keys(tensors), ['latent', 'motif_scores'])
    assert.ok(tensors.latent!.every((value, k) => Math.abs(value - latent[k]!) < 1e-4))
    seen.add(JSON.stringify(tensors))
  }
  assert.equal(seen.size, 1, 'every form carries the same float32')
})

test('KServe V2 errors are a string under "error", as both clients read them, and say what is wrong', async () => {
  await using sidecar = await bench.start()
  const [{ window }] = bench.golden as [(typeof bench.golden)[0]]
  const odd = window.slice()
  odd[29] = NaN
  const long = `{"id":"",${binaryInput}}`.replace('[1,100,9]', '[1,105,9]').replace('3600', '3780')
  const whole = `{"id":"",${binaryInput}}`
  const cases: [string, Uint8Array, number, RegExp][] = [
    [long, new Uint8Array(3780), 400, /^invalid_shape: The shape is \[1, 105, 9\]/],
    [whole, bytesOf(odd), 400, /^non_finite: x\[3\]\[2\] \(az\)/],
    [whole.replace('FP32', 'INT32'), bytesOf(window), 400, /datatype is INT32/],
    [whole.replace('imu_window', 'x'), bytesOf(window), 400, /no input "x"/],
    [whole.replace(/}$/, ',"outputs":[{"name":"zzz"}]}'), bytesOf(window), 400, /no output "zzz"/],
    [whole, bytesOf(window).subarray(0, 3596), 400, /binary_data_size is 3600, and 3596 bytes follow/],
    [
      // InferRequestedOutput(class_count=3): tensors in place of classes would be read as classes.
      whole.replace(/}$/, ',"outputs":[{"name":"motif_scores","parameters":{"classification":3,"binary_data":true}}]}'),
      bytesOf(window),
      400,
      /"motif_scores" is asked for as classes/,
    ],
    ['{"id":""', bytesOf(window), 400, /^invalid_json/],
    ['[]', bytesOf(window), 400, /^invalid_request/],
  ]
  for (const [json, tail, status, message] of cases) {
    const answer = await send(sidecar, triton(json.length), [Buffer.from(json), tail])
    assert.equal(answer.status, status, json)
    const { error } = JSON.parse(answer.body.toString()) as { error: string }
    assert.match(error, message)
  }
  assert.equal(sidecar.counts().bugs, 0)
})

test('KServe V2 takes the timeout of a request, in µs, as its deadline, and x-deadline-ms before it', async () => {
  await using sidecar = await bench.start()
  const [{ window }] = bench.golden as [(typeof bench.golden)[0]]
  const json = `{${binaryInput},"parameters":{"timeout":1}}`
  const ask = (lines: string[]) => send(sidecar, lines, [Buffer.from(json), bytesOf(window)])
  const hurried = triton(json.length).filter(line => !line.startsWith('x-deadline'))
  const statuses = await Promise.all(Array.from({ length: 8 }, () => ask(hurried).then(({ status }) => status)))
  assert.ok(statuses.includes(503), statuses.join())
  const patient = await Promise.all(Array.from({ length: 8 }, () => ask(triton(json.length))))
  assert.deepEqual(new Set(patient.map(({ status }) => status)), new Set([200]))
})

test('a body that is packed is refused as such, not as broken JSON', async () => {
  await using sidecar = await bench.start()
  for (const encoding of ['gzip', 'deflate']) {
    const answer = await send(sidecar, [...triton(), `Content-Encoding: ${encoding}`], [Buffer.from('packed')])
    assert.equal(answer.status, 415)
    assert.match(answer.headers, /accept-encoding: identity/)
    assert.match(answer.body.toString(), /unsupported_content_encoding: The body is (gzip|deflate)/)
  }
})
