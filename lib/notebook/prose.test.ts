import assert from 'node:assert/strict'
import test from 'node:test'
import { fencedProse, inlineHtml, proseHtml } from './prose.ts'

test('proseHtml() makes paragraphs, headings, lists, quotes and code', () => {
  const html = proseHtml('# Title\n\none\ntwo\n\n- a\n- b\n  more\n\n1. x\n2. y\n\n> said\n\n```ts\nlet a = 1 < 2\n```')
  assert.equal(html, [
    '<h4>Title</h4>', '<p>one\ntwo</p>', '<ul><li>a</li><li>b\nmore</li></ul>', '<ol><li>x</li><li>y</li></ol>',
    '<blockquote>said</blockquote>', '<pre><code>let a = 1 &lt; 2</code></pre>',
  ].join('\n'))
})

test('proseHtml() takes a block that is indented by two spaces for code', () => {
  assert.equal(proseHtml('Run it:\n\n  npx tsx a.ts\n    --flag\n\nDone.'), '<p>Run it:</p>\n<pre><code>npx tsx a.ts\n  --flag</code></pre>\n<p>Done.</p>')
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
  assert.equal(inlineHtml('[here](https://example.org/a?b=1)'), '<a href="https://example.org/a?b=1" rel="noreferrer">here</a>')
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
