/**
 * Looks through a source tree and says what it holds: build systems, entry points, contracts, metadata, parity tools
 * and the switches that its programs read from the environment.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join, relative } from 'node:path'
import { blockedError } from '../../../base/errors.ts'

/** One thing that was found, and where. */
export interface Found {
  readonly path: string
  readonly what: string
}

/** What a tree holds. */
export interface Inventory {
  readonly root: string
  readonly files: number
  readonly bytes: number
  readonly languages: Readonly<Record<string, number>>
  readonly buildSystems: readonly Found[]
  readonly entryPoints: readonly Found[]
  readonly contracts: readonly Found[]
  readonly metadata: readonly Found[]
  readonly parityTools: readonly Found[]
  readonly toggles: readonly Found[]
  readonly unknowns: readonly Found[]
  /** Folders to a depth of five, with how many files each holds. */
  readonly tree: readonly { readonly folder: string; readonly files: number }[]
}

const skipped = new Set([
  '.git',
  'node_modules',
  'target',
  'build',
  'dist',
  '__pycache__',
  '.venv',
  'venv',
  'module_runs',
])
const filesMax = 50_000
/** Larger files are models and recordings, not texts to look through. */
const textBytesMax = 1 << 20
const treeDepth = 5

const buildFiles: Readonly<Record<string, string>> = {
  'CMakeLists.txt': 'CMake',
  Makefile: 'make',
  'Cargo.toml': 'Cargo',
  'package.json': 'npm',
  'pyproject.toml': 'Python project',
  'setup.py': 'setuptools',
  'requirements.txt': 'pip',
  'BUILD.bazel': 'Bazel',
  'meson.build': 'Meson',
  Dockerfile: 'Docker',
  'docker-compose.yml': 'Docker Compose',
  'go.mod': 'Go',
}
const languages: Readonly<Record<string, string>> = {
  '.ts': 'TypeScript',
  '.js': 'JavaScript',
  '.py': 'Python',
  '.rs': 'Rust',
  '.c': 'C',
  '.cpp': 'C++',
  '.cc': 'C++',
  '.h': 'C header',
  '.hpp': 'C++ header',
  '.cu': 'CUDA',
  '.sh': 'shell',
  '.md': 'Markdown',
  '.json': 'JSON',
  '.yaml': 'YAML',
  '.yml': 'YAML',
  '.toml': 'TOML',
}
const togglePatterns = [
  /process\.env\.([A-Z][A-Z0-9_]+)/g,
  /os\.environ(?:\.get\(|\[)\s*["']([A-Z][A-Z0-9_]+)/g,
  /getenv\(\s*["']([A-Z][A-Z0-9_]+)/g,
  /env::var(?:_os)?\(\s*"([A-Z][A-Z0-9_]+)/g,
  /\benv: '([A-Z][A-Z0-9_]+)'/g,
]

/**
 * Scan a tree.
 * @throws RunbookError blocked when it is absent
 */
export function scanTree(root: string): Inventory {
  const paths = [...walk(root)]
  const lists = {
    buildSystems: [] as Found[],
    entryPoints: [] as Found[],
    contracts: [] as Found[],
    metadata: [] as Found[],
    parityTools: [] as Found[],
    toggles: [] as Found[],
    unknowns: [] as Found[],
  }
  const counts: Record<string, number> = {}
  const folders = new Map<string, number>()
  let bytes = 0
  for (const path of paths) {
    const shown = relative(root, path)
    const { size } = statSync(path)
    bytes += size
    const language = languages[extname(path)]
    if (language !== undefined) counts[language] = (counts[language] ?? 0) + 1
    note(
      shown,
      size > textBytesMax ? '' : readFileSync(path, 'latin1'),
      { size, isKnown: language !== undefined },
      lists,
    )
    for (const folder of foldersOf(shown)) folders.set(folder, (folders.get(folder) ?? 0) + 1)
  }
  return {
    root,
    files: paths.length,
    bytes,
    languages: Object.fromEntries(Object.entries(counts).toSorted((a, b) => b[1] - a[1])),
    ...lists,
    toggles: unique(lists.toggles),
    tree: [...folders].map(([folder, files]) => ({ folder, files })).toSorted((a, b) => (a.folder < b.folder ? -1 : 1)),
  }
}

/**
 * The files of a tree, relative to it.
 *
 * @throws RunbookError blocked when it is absent
 */
export const scanFiles = (root: string): string[] => [...walk(root)].map(path => relative(root, path))

function* walk(root: string): Generator<string> {
  const pending = [root]
  let count = 0
  while (pending.length > 0) {
    const folder = pending.pop()!
    for (const entry of entriesOf(folder, root)) {
      const path = join(folder, entry.name)
      if (entry.isDirectory() && !skipped.has(entry.name)) pending.push(path)
      else if (entry.isFile() && count++ < filesMax) yield path
    }
  }
}

function entriesOf(folder: string, root: string) {
  try {
    return readdirSync(folder, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  } catch (thrown) {
    if (folder !== root) return []
    throw blockedError(`Cannot scan "${root}": it cannot be read`, 'give a folder', thrown)
  }
}

const foldersOf = (path: string) => {
  const steps = path.split('/').slice(0, -1).slice(0, treeDepth)
  return steps.map((_, i) => steps.slice(0, i + 1).join('/'))
}

function note(
  path: string,
  text: string,
  { size, isKnown }: { size: number; isKnown: boolean },
  lists: { readonly [K in keyof Inventory]?: Found[] } & Record<'unknowns' | 'toggles', Found[]>,
): void {
  const name = path.split('/').at(-1)!
  const add = (list: Found[] | undefined, what: string) => void list?.push({ path, what })
  if (buildFiles[name] !== undefined) add(lists.buildSystems, buildFiles[name])
  const entry = entryOf(path, name, text)
  if (entry !== undefined) add(lists.entryPoints, entry)
  if (/(^|\/)contracts?\//.test(path) && name.endsWith('.json')) add(lists.contracts, 'contract')
  if (/meta.*\.json$|model_config\.ya?ml$|\.nemo$|tokenizer|vocab.*\.txt$/i.test(name))
    add(lists.metadata, 'model metadata')
  if (/parity|verify|compare|validat/i.test(name) && /\.(py|ts|rs|cpp|cc|sh)$/.test(name))
    add(lists.parityTools, 'parity tool')
  for (const pattern of togglePatterns) for (const match of text.matchAll(pattern)) add(lists.toggles, match[1]!)
  if (size > textBytesMax) add(lists.unknowns, `${(size / 2 ** 20).toFixed(1)} MiB, not looked into`)
  else if (!isKnown && /[\0]/.test(text)) add(lists.unknowns, 'binary of no known kind')
}

function entryOf(path: string, name: string, text: string): string | undefined {
  if (text.startsWith('#!')) return `script: ${text.slice(2, text.indexOf('\n')).trim()}`
  if (/__name__ == ["']__main__["']/.test(text)) return 'Python program'
  if (/\.(cpp|cc|c|cu)$/.test(name) && /\bint main\s*\(/.test(text)) return 'C or C++ program'
  if (name.endsWith('.rs') && /\bfn main\s*\(/.test(text)) return 'Rust program'
  return path.startsWith('.github/workflows/') ? 'workflow' : undefined
}

/** One row for each name of a switch, with the first file that reads it. */
const unique = (found: readonly Found[]): Found[] =>
  [...new Map(found.toReversed().map(f => [f.what, f])).values()].toReversed()
