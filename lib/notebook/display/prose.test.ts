import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { fencedProse, inlineHtml, proseHtml } from './prose.ts'

test('proseHtml() makes paragraphs, headings, lists, quotes and code', () => {
  const html = proseHtml('# Title\n\none\ntwo\n\n- a\n- b\n  more\n\n1. x\n2. y\n\n> said\n\n```ts\nlet a = 1 < 2\n```')
  assert.equal(
    html,
    [
      '<h4>Title</h4>',
      '<p>one\ntwo</p>',
      '<ul><li>a</li><li>b\nmore</li></ul>',
      '<ol><li>x</li><li>y</li></ol>',
      '<blockquote>said</blockquote>',
      '<pre><code>let a = 1 &lt; 2</code></pre>',
    ].join('\n'),
  )
})

test('proseHtml() takes a block that is indented by two spaces for code', () => {
  assert.equal(
    proseHtml('Run it:\n\n  npx tsx a.ts\n    --flag\n\nDone.'),
    '<p>Run it:</p>\n<pre><code>npx tsx a.ts\n  --flag</code></pre>\n<p>Done.</p>',
  )
})

test('proseHtml() shows raw HTML as text', () => {
  assert.equal(proseHtml('<script>alert(1)</script>'), '<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>')
})

test('proseHtml() ends at a fence that is never closed, and at no text at all', () => {
  assert.equal(proseHtml('```\nopen'), '<pre><code>open</code></pre>')
  assert.equal(proseHtml(''), '')
  assert.equal(proseHtml('\n \n'), '')
})

test('inlineHtml() knows code, bold, emphasis and links, and nothing inside code', () => {
  assert.equal(inlineHtml('**b** *e* `**c** <x>`'), '<strong>b</strong> <em>e</em> <code>**c** &lt;x&gt;</code>')
  assert.equal(
    inlineHtml('[here](https://example.org/a?b=1)'),
    '<a href="https://example.org/a?b=1" rel="noreferrer">here</a>',
  )
  assert.equal(inlineHtml('2 * 3 * 4'), '2 * 3 * 4')
})

test('inlineHtml() makes no link of a script, and lets no address out of its attribute', () => {
  assert.equal(inlineHtml('[x](javascript:alert(1))').includes('<a'), false)
  assert.equal(inlineHtml('[x](https://a"onclick="b)').includes('"onclick'), false)
})

test('fencedProse() puts indented code into fences and changes nothing else', () => {
  assert.equal(fencedProse('One.\n\n  npx a\n    b\n\nTwo.\n'), 'One.\n\n```\nnpx a\n  b\n```\n\nTwo.')
  assert.equal(fencedProse('- a\n  more\n- b'), '- a\n  more\n- b')
  assert.equal(fencedProse('```\n  x\n```'), '```\n  x\n```')
})

const anyProse = fc.array(
  fc.constantFrom(
    '# h',
    '- a',
    '  code',
    '```',
    '~~~',
    '> q',
    '1. x',
    '',
    'word *e*',
    '**b',
    '`c',
    '<b>',
    '    deep',
    '[a](https://x)',
    '|',
  ),
  { maxLength: 12 },
)

test('proseHtml() ends, and opens as many blocks as it closes, for any lines', () => {
  fc.assert(
    fc.property(anyProse, lines => {
      const html = proseHtml(lines.join('\n'))
      for (const tag of ['p', 'pre', 'code', 'ul', 'ol', 'li', 'blockquote', 'h4', 'a', 'em', 'strong']) {
        assert.equal(
          html.split(`<${tag}>`).length + html.split(`<${tag} `).length - 1,
          html.split(`</${tag}>`).length,
          tag,
        )
      }
      assert.equal(html.includes('<b>'), false)
    }),
    { numRuns: 500 },
  )
})

test('fencedProse() keeps every line, for any lines', () => {
  fc.assert(
    fc.property(anyProse, lines => {
      const kept = fencedProse(lines.join('\n'))
      for (const line of lines) assert.ok(kept.includes(line.trim()), JSON.stringify(line))
    }),
    { numRuns: 500 },
  )
})
