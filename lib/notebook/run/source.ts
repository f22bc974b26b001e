/**
 * Finds the source lines of a cell in a runbook's file, and the file's opening comment.
 *
 * The notebook shows the TypeScript that a person wrote, not what the loader made of it. A cell is found by its line in
 * a stack and reaches to the bracket that closes its call. When anything does not fit, the answer is empty: a notebook
 * without a source is better than one with a wrong one.
 */

/** The line (1 for the first) at which `file` called, from an Error's stack; null when the file is not in it. */
export function callerLine(stack: string | undefined, file: string): number | null {
  for (const frame of (stack ?? '').split('\n')) {
    const at = frame.indexOf(file)
    if (at < 0) continue
    const line = /^:(\d+):\d+/.exec(frame.slice(at + file.length))
    if (line) return Number(line[1])
  }
  return null
}

/** The statement around a call that begins on `line`, to its closing bracket; empty when the brackets do not close. */
export function callSource(text: string, line: number): string {
  const lines = text.split('\n')
  const start = lines.slice(0, line - 1).reduce((sum, l) => sum + l.length + 1, 0)
  const end = endOfCall(text, start)
  return end === null ? '' : dedent(text.slice(start, end))
}

function endOfCall(text: string, start: number): number | null {
  const first = text.indexOf('(', start)
  if (first < 0) return null
  let depth = 0
  for (let i = first; i < text.length; i++) {
    const c = text[i]!
    if (c === "'" || c === '"' || c === '`') i = endOfQuote(text, i)
    else if (c === '/' && text[i + 1] === '/') i = text.indexOf('\n', i)
    else if (c === '(') depth++
    else if (c === ')' && --depth === 0) return i + 1
    if (i < 0) return null
  }
  return null
}

/** Where a quoted text ends; a template's own `${…}` may hold quotes of any kind, so braces are counted there. */
function endOfQuote(text: string, start: number): number {
  const quote = text[start]!
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (quote === '`' && text[i] === '$' && text[i + 1] === '{') i = endOfBraces(text, i + 1)
    else if (text[i] === quote) return i
    if (i < 0) return -1
  }
  return -1
}

function endOfBraces(text: string, start: number): number {
  let depth = 0
  for (let i = start; i < text.length; i++) {
    const c = text[i]!
    if (c === "'" || c === '"' || c === '`') i = endOfQuote(text, i)
    else if (c === '{') depth++
    else if (c === '}' && --depth === 0) return i
    if (i < 0) return -1
  }
  return -1
}

function dedent(text: string): string {
  const lines = text.split('\n')
  const indent = Math.min(
    ...lines.filter(line => line.trim() !== '').map(line => line.length - line.trimStart().length),
  )
  return lines.map(line => line.slice(indent)).join('\n')
}

/** The first doc comment of a file as Markdown, without its stars. Empty when there is none. */
export function introOf(text: string): string {
  const comment = /^\s*(?:#!.*\n)?\s*\/\*\*([\s\S]*?)\*\//.exec(text)
  if (!comment) return ''
  return comment[1]!
    .split('\n')
    .map(line => line.replace(/^\s*\* ?/, ''))
    .join('\n')
    .trim()
}
