/**
 * Renders a small Markdown as HTML.
 *
 * Headings, paragraphs, lists, fenced and indented code, quotes; code, bold, emphasis and links inside a line.
 * Everything else, raw HTML above all, is shown as the text that it is. Tables come from `table.ts`.
 */
import { escapeHtml, fence } from './display.ts'

/** Markdown as a safe HTML fragment. Headings begin at `<h4>`, below the report's own. */
export function proseHtml(markdown: string): string {
  const lines = markdown.replace(/\r\n?/g, '\n').split('\n')
  const blocks: string[] = []
  let at = 0
  while (at < lines.length) {
    const [html, next] = block(lines, at)
    if (html !== '') blocks.push(html)
    at = next
  }
  return blocks.join('\n')
}

/** The same Markdown, with its indented code in fences: two spaces are code here, but not for a forge. */
export function fencedProse(markdown: string): string {
  const lines = markdown.replace(/\r\n?/g, '\n').split('\n')
  const parts: string[] = []
  let at = 0
  while (at < lines.length) {
    const isCode = isIndented.test(lines[at]!) && !isBullet.test(lines[at]!) && !isNumbered.test(lines[at]!)
    const next = isCode ? indentedEnd(lines, at) : block(lines, at)[1]
    parts.push(isCode ? fence(dedented(lines.slice(at, next))) : lines.slice(at, next).join('\n'))
    at = next
  }
  return parts.join('\n').trim()
}

type Block = readonly [html: string, next: number]

function block(lines: readonly string[], at: number): Block {
  const line = lines[at]!
  if (line.trim() === '') return ['', at + 1]
  const fenced = /^\s*(`{3,}|~{3,})/.exec(line)
  if (fenced) return fencedCode(lines, at, fenced[1]!)
  if (isIndented.test(line) && !isBullet.test(line) && !isNumbered.test(line)) return indentedCode(lines, at)
  const heading = /^(#{1,6})\s+(.*?)\s*#*$/.exec(line)
  if (heading) {
    const level = Math.min(6, heading[1]!.length + 3)
    return [`<h${level}>${inlineHtml(heading[2]!)}</h${level}>`, at + 1]
  }
  if (isBullet.test(line)) return list(lines, at, isBullet, 'ul')
  if (isNumbered.test(line)) return list(lines, at, isNumbered, 'ol')
  const end = runEnd(lines, at, next => next.trim() !== '' && !startsBlock(next))
  const words = lines
    .slice(at, end)
    .map(part => part.replace(/^>\s?/, '').trim())
    .join('\n')
  return [line.startsWith('>') ? `<blockquote>${inlineHtml(words)}</blockquote>` : `<p>${inlineHtml(words)}</p>`, end]
}

/** Two spaces are enough after an empty line: that is how an opening comment indents its commands. */
const isIndented = /^(?: {2,}|\t)\S/
const isBullet = /^\s{0,3}[-*+]\s+/
const isNumbered = /^\s{0,3}\d+[.)]\s+/
const startsBlock = (line: string): boolean =>
  /^\s*(?:`{3}|~{3})|^#{1,6}\s/.test(line) || isBullet.test(line) || isNumbered.test(line)

/** The first line after `at` for which `goesOn` is false. */
function runEnd(lines: readonly string[], at: number, goesOn: (line: string) => boolean): number {
  let end = at + 1
  while (end < lines.length && goesOn(lines[end]!)) end++
  return end
}

const codeBlock = (lines: readonly string[]): string => `<pre><code>${escapeHtml(lines.join('\n'))}</code></pre>`

function fencedCode(lines: readonly string[], at: number, marks: string): Block {
  const end = runEnd(lines, at, line => !line.trimStart().startsWith(marks))
  return [codeBlock(lines.slice(at + 1, end)), end + 1]
}

function indentedCode(lines: readonly string[], at: number): Block {
  const end = indentedEnd(lines, at)
  return [codeBlock([dedented(lines.slice(at, end))]), end]
}

const indentedEnd = (lines: readonly string[], at: number): number =>
  runEnd(lines, at, line => /^(?: {2,}|\t)/.test(line))

function dedented(code: readonly string[]): string {
  const margin = Math.min(...code.filter(line => line.trim() !== '').map(line => line.length - line.trimStart().length))
  return code.map(line => line.slice(margin)).join('\n')
}

function list(lines: readonly string[], at: number, mark: RegExp, tag: 'ul' | 'ol'): Block {
  const end = runEnd(lines, at, line => mark.test(line) || /^\s{2,}\S/.test(line))
  const items: string[] = []
  for (const line of lines.slice(at, end)) {
    if (mark.test(line)) items.push(line.replace(mark, ''))
    else items.push(`${items.pop()}\n${line.trim()}`)
  }
  return [`<${tag}>${items.map(item => `<li>${inlineHtml(item)}</li>`).join('')}</${tag}>`, end]
}

/** One line of Markdown as HTML. A link must lead to http or https; any other stays text. */
export function inlineHtml(line: string): string {
  return line
    .split(/(`+[^`]+`+)/)
    .map(part =>
      /^`+[^`]+`+$/.test(part) ? `<code>${escapeHtml(part.replace(/^`+|`+$/g, '').trim())}</code>` : wordsHtml(part),
    )
    .join('')
}

const wordsHtml = (words: string): string =>
  escapeHtml(words)
    .replace(/\[([^\]]+)\]\((https?:\/\/[^\s)]+)\)/g, '<a href="$2" rel="noreferrer">$1</a>')
    .replace(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>')
    .replace(/(?<![\w*])\*([^\s*][^*]*)\*(?![\w*])/g, '<em>$1</em>')
