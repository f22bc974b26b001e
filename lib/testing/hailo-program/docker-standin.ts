/**
 * Installs a stand-in for `docker` that knows one image: it starts the stand-in of `hailo` with what was mounted.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** How it behaves. */
export interface DockerStandin {
  /** The one image that is here. */
  readonly image: string
  /** The `hailo` inside it. */
  readonly hailo: string
  /** The daemon does not answer. */
  readonly isDown?: boolean
}

/** Write `<folder>/docker`. Every call is a line of JSON in `<folder>/calls.ndjson`. */
export function installDockerStandin(folder: string, o: DockerStandin): string {
  mkdirSync(folder, { recursive: true })
  const program = `#!/usr/bin/env node
const { appendFileSync } = require('node:fs')
const { spawn } = require('node:child_process')
const o = ${JSON.stringify(o)}
const args = process.argv.slice(2)
appendFileSync(${JSON.stringify(join(folder, 'calls.ndjson'))}, JSON.stringify(args) + '\\n')
const leave = (code, text) => { console.error(text); process.exit(code) }
const down = 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?'
if (o.isDown) leave(1, down)
if (args[0] === 'rm') process.exit(0)
if (args[0] === 'image') {
  if (args.at(-1) !== o.image) leave(1, 'Error response from daemon: No such image: ' + args.at(-1))
  console.log('sha256:0123456789abcdef')
  process.exit(0)
}
const withValue = ['--name', '--network', '--pull', '--user', '--workdir', '--volume', '--env']
const given = { '--volume': [], '--env': [] }
let i = 1
for (; args[i].startsWith('--'); i++) {
  if (!withValue.includes(args[i])) continue
  const [flag, value] = [args[i], args[++i]]
  if (given[flag]) given[flag].push(value)
  else given[flag] = value
}
const [image, program, ...words] = args.slice(i)
if (image !== o.image) leave(125, 'docker: Error response from daemon: No such image: ' + image)
const mounted = given['--volume'].map(volume => volume.split(':')[0])
const unseen = words.find(word => /^\\/(tmp|work|home|root)\\//.test(word) && !mounted.some(at => word.startsWith(at)))
if (unseen) leave(2, 'hailo: error: argument: no such file inside the container: ' + unseen)
if (program !== 'hailo') leave(127, 'docker: exec: ' + program + ': not found')
const pairs = given['--env'].map(pair => [pair.split('=')[0], pair.slice(pair.indexOf('=') + 1)])
const env = { PATH: process.env.PATH, ...Object.fromEntries(pairs) }
if (process.env.HAILO_STANDIN) env.HAILO_STANDIN = process.env.HAILO_STANDIN
const child = spawn(o.hailo, words, { stdio: 'inherit', cwd: given['--workdir'], env })
child.on('exit', code => process.exit(code ?? 137))
`
  const path = join(folder, 'docker')
  writeFileSync(path, program, { mode: 0o755 })
  return path
}
