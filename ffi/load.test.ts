import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { needsTool } from '../lib/testing/needs.ts'
import { FfiError } from './errors.ts'
import { bind, hasSymbol, koffi, openLibrary, type LibrarySpec, type NativeFunction } from './load.ts'
import { buildStandin } from './testing/build.ts'

const folder = mkdtempSync(join(tmpdir(), 'load-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const spec = (more: Partial<LibrarySpec> = {}): LibrarySpec => ({
  title: 'Frobnicator',
  env: 'FROB_LIB',
  names: ['libfrob-none.so.7'],
  folders: [],
  install: 'sudo apt install frob',
  ...more,
})
const libc = spec({ title: 'the C library', names: ['libc.so.6'] })
const env = {}
const frob = (name = 'libfrob.so', source = 'int frob(int n) { return n + 1; }', flags: readonly string[] = []) => {
  const file = join(folder, `${name}.c`)
  writeFileSync(file, source)
  return buildStandin([file], { out: name, flags })
}
const refusal = (o: LibrarySpec, more: Record<string, string | undefined> = env): FfiError => {
  try {
    openLibrary(o, { env: more })
  } catch (thrown) {
    assert.ok(thrown instanceof FfiError)
    return thrown
  }
  throw new Error('it opened')
}

test('koffi() is one module whose stacks are set', () => {
  assert.equal(koffi(), koffi())
  const { sync_stack_size: sync, async_stack_size: async, async_heap_size: heap } = koffi().config()
  assert.deepEqual([sync, async, heap], [16 << 20, 16 << 20, 1 << 20])
})

test('importing load.ts loads neither koffi nor a library', () => {
  const file = JSON.stringify(join(import.meta.dirname, 'load.ts'))
  const script = `await import(${file})
    const maps = (await import('node:fs')).readFileSync('/proc/self/maps', 'utf8')
    console.log(/koffi/.test(maps))`
  assert.equal(
    execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      encoding: 'utf8',
    }).trim(),
    'false',
  )
})

test("openLibrary() opens by the loader's name and says which file that was", () => {
  const { path } = openLibrary(libc, { env })
  assert.match(path, /^\/.*libc[.-]/)
})

test(
  'openLibrary() prefers the override to the loader, and takes a file or a folder',
  { skip: needsTool('gcc') },
  () => {
    const path = frob()
    const names = ['libc.so.6', 'libfrob.so']
    assert.equal(openLibrary(spec({ names }), { env: { FROB_LIB: path } }).path, path)
    const alone = join(folder, 'alone')
    mkdirSync(alone)
    copyFileSync(path, join(alone, 'libfrob.so'))
    assert.equal(openLibrary(spec({ names }), { env: { FROB_LIB: alone } }).path, join(alone, 'libfrob.so'))
  },
)

test(
  'openLibrary() finds the newest file under its full version in a folder that an override names',
  { skip: needsTool('gcc') },
  () => {
    const inside = mkdtempSync(join(folder, 'versions-'))
    const path = join(inside, 'libfrob.so.1.30.1')
    for (const version of ['1.9.0', '1.26.0', '1.30.1']) copyFileSync(frob(), join(inside, `libfrob.so.${version}`))
    const versioned = spec({ names: ['/elsewhere/libfrob.so', 'libfrob.so'] })
    assert.equal(openLibrary(versioned, { env: { FROB_LIB: inside } }).path, path)
    rmSync(inside, { recursive: true })
    mkdirSync(inside)
    assert.match(refusal(versioned, { FROB_LIB: inside }).message, /FROB_LIB: 1 place was tried/)
  },
)

test(
  'openLibrary() keeps a library in memory to the end of the process when nobody holds it',
  { skip: needsTool('gcc') || process.platform !== 'linux' },
  () => {
    const script = `
    const { openLibrary } = await import(${JSON.stringify(join(import.meta.dirname, 'load.ts'))})
    const { readFileSync } = await import('node:fs')
    openLibrary({ title: 'It', env: '', names: [process.argv[1]], folders: [], install: '' })
    for (let i = 0; i < 5; i++) {
      gc()
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    console.log(readFileSync('/proc/self/maps', 'utf8').includes('libforgotten.so'))`
    const argv = ['--expose-gc', '--import', 'tsx', '--input-type=module', '-e', script, frob('libforgotten.so')]
    assert.equal(
      execFileSync(process.execPath, argv, { cwd: join(import.meta.dirname, '..'), encoding: 'utf8' }),
      'true\n',
    )
  },
)

test('openLibrary() does not look elsewhere when an override does not open', () => {
  const error = refusal(libc, { FROB_LIB: join(folder, 'none.so') })
  assert.equal(error.kind, 'absent')
  assert.equal(
    error.message,
    `Cannot open the C library named by FROB_LIB: 1 place was tried\n  ${join(folder, 'none.so')}: no such file`,
  )
})

test('openLibrary() takes an empty override for none', () => {
  assert.match(openLibrary(libc, { env: { FROB_LIB: '' } }).path, /libc/)
})

test('openLibrary() looks in the usual folders, best name first, after the loader', { skip: needsTool('gcc') }, () => {
  const usual = join(folder, 'usual')
  mkdirSync(usual)
  copyFileSync(frob(), join(usual, 'libfrob-deep.so.2'))
  const opened = openLibrary(
    spec({ names: ['libfrob-deep.so.1', 'libfrob-deep.so.2'], folders: [join(folder, 'none'), usual] }),
    { env },
  )
  assert.equal(opened.path, join(usual, 'libfrob-deep.so.2'))
})

/** Every path that a message names, with its braces written out. */
function pathsIn(message: string): string[] {
  return message
    .split('\n')
    .slice(1)
    .flatMap(line => {
      const [, folders = '', names] = /^ {2}(?:(by the loader|\/[^:]*): )?(.+?): (?:no such file|cannot open .*)$/.exec(
        line,
      )!
      const written = names!.replaceAll(/([^ ,{]*)\{([^}]*)\}/g, (_, stem: string, ends: string) =>
        ends
          .split(', ')
          .map(end => stem + end)
          .join(', '),
      )
      return folders
        .split(', ')
        .flatMap(folder => written.split(', ').map(name => (folder.startsWith('/') ? join(folder, name) : name)))
    })
}

test('openLibrary() finds a library under its full version alone, the newest first', { skip: needsTool('gcc') }, () => {
  const holding = (...files: readonly string[]) => {
    const inside = mkdtempSync(join(folder, 'usual-'))
    for (const file of files) copyFileSync(frob(), join(inside, file))
    return inside
  }
  const usual = holding('libfrob.so.5.3.0', 'libfrob.so.5.10.1', 'libfrob.so.5.11.bak')
  const names = ['libfrob.so']
  assert.equal(openLibrary(spec({ names, folders: [usual] }), { env }).path, join(usual, 'libfrob.so.5.10.1'))
  const given = holding('libfrob.so.1.2')
  const LD_LIBRARY_PATH = `relative:${given}`
  assert.equal(
    openLibrary(spec({ names, folders: [usual] }), { env: { LD_LIBRARY_PATH } }).path,
    join(given, 'libfrob.so.1.2'),
  )
})

test('openLibrary() lists each path tried with what was wrong, the package, and the line to export', () => {
  const error = refusal(
    spec({
      names: ['libfrob-none.so.7', 'libfrob-none.so', join(folder, 'x.so')],
      folders: [join(folder, 'a'), join(folder, 'b')],
    }),
  )
  assert.equal(error.kind, 'absent')
  assert.equal(
    error.message,
    [
      'Cannot open Frobnicator: 7 places were tried',
      '  by the loader: libfrob-none.so.7, libfrob-none.so: cannot open shared object file: No such file or directory',
      `  ${join(folder, 'x.so')}: no such file`,
      `  ${join(folder, 'a')}, ${join(folder, 'b')}: libfrob-none.so.7, libfrob-none.so: no such file`,
    ].join('\n'),
  )
  assert.equal(
    error.hint,
    'install it (sudo apt install frob), or say where it is: export FROB_LIB=/path/to/libfrob-none.so.7',
  )
})

test('openLibrary() says in one line what was tried in folders that lack the same, and loses no path', () => {
  const names = ['libfrob-none.so', ...Array.from({ length: 12 }, (_, i) => `libfrob-none.so.4.${i}.0`)]
  const folders = ['a', 'b', 'c', 'd'].map(name => join(folder, name))
  const { message } = refusal(spec({ names, folders }))
  assert.equal(message.split('\n').length, 3)
  assert.deepEqual(pathsIn(message), [...names, ...folders.flatMap(path => names.map(name => join(path, name)))])
})

test('openLibrary() gives a file that is there and does not open a line of its own, before the rest', () => {
  const bad = join(folder, 'bad')
  mkdirSync(bad)
  writeFileSync(join(bad, 'libfrob-none.so.2'), 'not a library at all')
  const { message } = refusal(
    spec({ names: ['libfrob-none.so.1', 'libfrob-none.so.2', 'libfrob-none.so.3'], folders: [bad] }),
  )
  const [, first, , last] = message.split('\n')
  assert.match(first!, /^ {2}\/.*\/bad\/libfrob-none\.so\.2: it is not an ELF library/)
  assert.equal(last, `  ${bad}: libfrob-none.so.{1, 3}: no such file`)
})

test(
  'openLibrary() names a library of another machine, a script, a text, a folder and a torn file as such',
  { skip: process.platform !== 'linux' && 'tool: ELF' },
  () => {
    const real = readFileSync(openLibrary(libc, { env }).path)
    const machineAt = 18
    const other = Buffer.from(real)
    other.writeUInt16LE(process.arch === 'arm64' ? 62 : 183, machineAt)
    const small = Buffer.from(real)
    small[4] = 1
    small.writeUInt16LE(40, machineAt)
    const cases: [string, Uint8Array, RegExp][] = [
      ['other.so', other, /wrong ELF class or architecture: it is 64-bit (arm64|x64), this node is 64-bit/],
      ['small.so', small, /it is 32-bit arm, this node is/],
      ['script.so', Buffer.from('/* GNU ld script */ INPUT(libx.so)'), /linker script/],
      ['text.so', Buffer.from('not a library at all'), /not an ELF library/],
      ['empty.so', Buffer.alloc(0), /it is empty/],
      ['torn.so', real.subarray(0, 12), /it is cut short/],
      ['half.so', real.subarray(0, 5000), /it is cut short: 5000 of \d+ bytes/],
      ['head.so', real.subarray(0, 80), /it is cut short: its program headers/],
    ]
    for (const [name, bytes, expected] of cases) {
      const path = join(folder, name)
      writeFileSync(path, bytes)
      assert.match(refusal(spec(), { FROB_LIB: path }).message, expected, name)
    }
  },
)

test('openLibrary() names what a library needs and the machine lacks', { skip: needsTool('gcc') }, () => {
  const needed = join(folder, 'needed')
  mkdirSync(needed)
  copyFileSync(frob('libfrobbase.so'), join(needed, 'libfrobbase.so'))
  const path = frob('libfrobtop.so', 'int frob(int); int twice(int n) { return frob(frob(n)); }', [
    `-L${needed}`,
    '-Wl,--no-as-needed',
    '-lfrobbase',
  ])
  assert.match(refusal(spec(), { FROB_LIB: path }).message, /libfrobbase\.so/)
})

test("openLibrary() gives the system's own words for what it cannot name", () => {
  const path = join(folder, 'loop.so')
  symlinkSync(path, path)
  assert.match(refusal(spec(), { FROB_LIB: path }).message, /ELOOP/)
})

interface Frob {
  frob: NativeFunction<[number], number>
  nope?: NativeFunction<[], number>
}

test(
  'bind() declares functions from prototypes, and leaves out an optional one that lacks',
  { skip: needsTool('gcc') },
  () => {
    const library = openLibrary(spec(), { env: { FROB_LIB: frob() } })
    const { frob: call, nope } = bind<Frob>(library, {
      frob: { prototype: 'int frob(int n)' },
      nope: { prototype: 'int nope(void)', optional: true },
    })
    assert.equal(call(41), 42)
    assert.equal(nope, undefined)
    assert.deepEqual([hasSymbol(library, 'frob'), hasSymbol(library, 'nope')], [true, false])
  },
)

test('bind() gives functions that also run on a worker thread', { skip: needsTool('gcc') }, async () => {
  const { frob: call } = bind<Pick<Frob, 'frob'>>(openLibrary(spec(), { env: { FROB_LIB: frob() } }), {
    frob: { prototype: 'int frob(int n)' },
  })
  assert.equal(
    await new Promise((resolve, reject) => call.async(1, (error, result) => (error ? reject(error) : resolve(result)))),
    2,
  )
})

test('bind() names the first symbol that a library lacks, and how many more', { skip: needsTool('gcc') }, () => {
  const path = frob()
  const library = openLibrary(spec(), { env: { FROB_LIB: path } })
  const lacking = {
    frob: { prototype: 'int frob(int n)' },
    grind: { prototype: 'int grind(void)' },
    polish: { prototype: 'int polish(void)' },
  }
  assert.throws(() => bind(library, lacking), {
    kind: 'absent',
    message: `Cannot use Frobnicator at "${path}": it has no symbol grind (and 1 more: polish)`,
    hint: /name another: export FROB_LIB=/,
  })
})

test('bind() throws a plain error for a prototype that is not C', { skip: needsTool('gcc') }, () => {
  const library = openLibrary(spec(), { env: { FROB_LIB: frob() } })
  assert.throws(
    () => bind(library, { frob: { prototype: 'integer frob of n' } }),
    (error: Error) => !(error instanceof FfiError),
  )
})
