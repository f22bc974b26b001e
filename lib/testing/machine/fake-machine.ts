/**
 * Makes the files and programs of a machine that the test does not have.
 *
 * A folder that holds what the doctor looks at: files under `/dev`, `/proc`, `/sys`, programs as small scripts on a
 * PATH of their own, and what native libraries would have answered. It is a whole laptop unless told: what is given is
 * added, null takes away.
 */
import { chmodSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { capture } from '../../host/exec.ts'
import type { Machine } from '../../doctor/machine.ts'
import type { Probed, Subject } from '../../doctor/probe/probe.ts'

/** A machine in a folder. */
export interface FakeMachine {
  /** Path to text; null leaves it out. A number is the mode of a node: `'/dev/hailo0': 0o660`. `-> name` is a link. */
  readonly files?: Readonly<Record<string, string | number | null>>
  /** Program to what it prints, or to the body of a shell script (a text that begins with `#!`). */
  readonly programs?: Readonly<Record<string, string | null>>
  readonly probed?: Partial<Readonly<Record<Subject, Probed>>>
  readonly env?: Readonly<Record<string, string>>
  readonly machine?: Partial<Machine>
}

/** A library that was found and opened. */
export const found = (of: Extract<Probed, { ok: true }>['found']): Probed => ({ ok: true, found: of })

/** What the bindings answer when a library is nowhere. */
export const absent = (title: string): Probed => ({
  ok: false,
  kind: 'absent',
  hint:
    `install it (sudo apt install lib-of-${title.replaceAll(' ', '-')}), ` +
    'or say where it is: export X_LIB=/path/to/lib.so',
  message: [
    `Cannot open ${title}: 4 places were tried`,
    '  by the loader: lib.so, lib.so.1: cannot open shared object file: No such file or directory',
    '  /usr/lib: lib.so, lib.so.1: no such file',
  ].join('\n'),
  search: {
    places: 4,
    tried: [
      'by the loader: lib.so, lib.so.1: cannot open shared object file',
      '/usr/lib: lib.so, lib.so.1: no such file',
    ],
    broken: null,
    install: `sudo apt install lib-of-${title.replaceAll(' ', '-')}`,
    elsewhere: 'say where it is: export X_LIB=/path/to/lib.so',
  },
})

/** A laptop without any accelerator. */
const laptop: Required<Pick<FakeMachine, 'files' | 'probed'>> & { programs: Record<string, string> } = {
  files: {
    '/proc/1/comm': 'systemd\n',
    '/run/systemd/system/x': '',
    '/etc/group': 'root:x:0:\nvideo:x:44:\n',
    '/etc/passwd': 'root:x:0:0::/:/bin/sh\n',
  },
  programs: {
    bash: 'GNU bash',
    ffmpeg: 'ffmpeg version 5.1.9 Copyright',
    'g++': 'g++ (Debian 12.2.0-14) 12.2.0',
    gcc: 'gcc 12.2.0',
    chromium: 'Chromium 140.0.1',
    python3: '5.5.0',
  },
  probed: {
    zx: found({}),
    tsx: found({}),
    koffi: found({ version: '3.3.4' }),
    'onnxruntime-node': found({ words: 'cpu' }),
    onnxruntime: found({ version: '1.30.0', path: '/p/libonnxruntime.so.1', words: 'C API 30' }),
    hailort: absent('HailoRT'),
    cuda: absent('the CUDA runtime'),
    tensorrt: absent('TensorRT'),
  },
}
const packages = { zx: '8.8.5', tsx: '4.23.15', koffi: '3.3.4', 'onnxruntime-node': '1.30.0', papaparse: '5.7.1' }

/** Owner and group of a fake machine's files, as its tables name them: whoever runs the tests made the files. */
export const ownerOfFiles = [process.getuid?.(), process.getgid?.()]
  .map(id => (id === 0 ? 'root' : String(id)))
  .join(':')

/** Build it. The folder is left to the system's cleaning. */
export function fakeMachine(o: FakeMachine = {}): Machine {
  const root = mkdtempSync(join(tmpdir(), 'fake-machine-'))
  const project = join(root, 'project')
  const named = <T>(path: (name: string) => string, content: (version: string) => T) =>
    Object.fromEntries(Object.entries(packages).map(([name, version]) => [path(name), content(version)]))
  const files: FakeMachine['files'] = {
    '/project/package.json': JSON.stringify({ engines: { node: '>=20.19' }, dependencies: packages }),
    '/project/package-lock.json': JSON.stringify({
      packages: named(
        name => `node_modules/${name}`,
        version => ({ version }),
      ),
    }),
    ...named(
      name => `/project/node_modules/${name}/package.json`,
      version => JSON.stringify({ version }),
    ),
    ...laptop.files,
    ...o.files,
  }
  for (const [path, content] of Object.entries(files)) if (content !== null) write(join(root, path), content)
  const programs = { ...laptop.programs, ...o.programs }
  for (const [name, says] of Object.entries(programs)) {
    if (says !== null) install(join(root, name.includes('/') ? name : `usr/bin/${name}`), says)
  }
  const probed: Partial<Record<Subject, Probed>> = { ...laptop.probed, ...o.probed }
  return {
    root,
    project,
    node: 'v20.20.2',
    platform: 'linux',
    arch: 'x64',
    user: { uid: 1000, gids: [1000], name: 'ada' },
    env: { PATH: join(root, 'usr/bin'), ...o.env },
    run: capture,
    probe: async subject => probed[subject]!,
    ...o.machine,
  }
}

function write(path: string, content: string | number): void {
  mkdirSync(dirname(path), { recursive: true })
  if (typeof content === 'string' && content.startsWith('-> ')) return symlinkSync(content.slice(3), path)
  writeFileSync(path, typeof content === 'number' ? '' : content)
  if (typeof content === 'number') chmodSync(path, content)
}

/**
 * A script that prints a text, whatever it is asked; or one that the test wrote. `-> path` is a link to a real program.
 */
function install(path: string, says: string): void {
  mkdirSync(dirname(path), { recursive: true })
  if (says.startsWith('-> ')) return symlinkSync(says.slice(3), path)
  const body = says.startsWith('#!') ? says : `#!/bin/sh\nprintf '%s\\n' '${says.replaceAll("'", String.raw`'\''`)}'\n`
  writeFileSync(path, body, { mode: 0o755 })
}
