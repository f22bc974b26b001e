import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import test from 'node:test'
import { pathToFileURL } from 'node:url'
import { needsTool } from '../../testing/needs.ts'
import { renderHtml } from './html.ts'
import { script } from './html-script.ts'
import type { Report } from './report.ts'
import {
  blockedReport,
  everyReport,
  failedReport,
  hostile,
  hostileReport,
  killedReport,
  passedReport,
} from '../../testing/notebook/sample-reports.ts'

test('renderHtml() forbids the page every address but data:, and asks for none', async () => {
  for (const [name, report] of Object.entries(await everyReport())) {
    const html = renderHtml(report)
    const [, policy] = /<meta http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(html)!
    assert.match(policy!, /^default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'(?:;|$)/, name)
    for (const [, address] of html.matchAll(/\s(?:src|poster|data|action)="([^"]*)"/g))
      assert.match(address!, /^data:/, name)
    assert.equal(/<(?:iframe|object|embed|base|form)\b/i.test(html), false, name)
    const [, ...more] = html.split(`<script>${script}</script>`)
    assert.equal(more.length, 1, name)
    assert.equal(/<script\b/i.test(html.replace(`<script>${script}</script>`, '')), false, name)
    const digest = createHash('sha256').update(script).digest('base64')
    assert.ok(policy!.includes(`; script-src 'sha256-${digest}';`), name)
    assert.equal(/@import|url\((?!#)/.test(html), false, name)
  }
})

test('renderHtml() shows verdict, question, gates, next command, inputs and artifacts', async () => {
  const html = renderHtml(await passedReport())
  assert.match(html, /<title>PASS monolithic-sweep<\/title>/)
  assert.match(html, /<body class="v-pass">/)
  assert.match(html, /<h1 id="verdict"><span class="mark" aria-hidden="true">✓<\/span> PASS<\/h1>/)
  assert.match(html, /which is the largest monolithic network/)
  assert.match(
    html,
    /<span class="badge pass">✓ pass<\/span><\/td><td data-label="gate">SNR of int8 against float32<\/td>/,
  )
  assert.match(html, /<pre class="command"><code>npx tsx runbooks\/monolithic-infer\.ts --model /)
  assert.match(
    html,
    /<strong>arch<\/strong><\/td><td [^>]*><code>hailo8<\/code><\/td><td [^>]*><span class="from flag">--arch<\/span>/,
  )
  assert.match(html, /<span class="from env">PROFILE<\/span>/)
  assert.match(
    html,
    /<a href="cases\/full%20N64\/sep_src1\.wav">cases\/full N64\/sep_src1\.wav<\/a><\/td><td [^>]*right">1\.2 MB/,
  )
  assert.match(html, /<code class="digest">(?:09bc){16}<\/code>/)
  assert.match(html, /<summary>Fingerprint<\/summary>\n<pre>\{[\s\S]*onnxruntime-node/)
})

test('renderHtml() shows the cells in order with their time, outputs and source', async () => {
  const html = renderHtml(await passedReport())
  const marks = [
    'id="cell-1"',
    'ok, 31.2 s</span>',
    '<figcaption>the ladder',
    '<svg role="img" aria-label="compile time',
    'id="cell-2"',
    '<svg role="img" aria-label="cosine',
    'id="cell-3"',
    'data:image/png',
    '<audio controls',
    '<strong>Rung 3</strong>',
    'id="inputs"',
  ]
  const at = marks.map(mark => html.indexOf(mark))
  assert.deepEqual(
    at,
    at.toSorted((a, b) => a - b),
  )
  assert.equal(at.includes(-1), false)
  assert.equal([...html.matchAll(/<summary>source<\/summary>/g)].length, 3)
})

test('renderHtml() gives no two things one id', async () => {
  for (const report of Object.values(await everyReport())) {
    const ids = [...renderHtml(report).matchAll(/\sid="([^"]+)"/g)].map(match => match[1]!)
    assert.equal(new Set(ids).size, ids.length, ids.join(' '))
  }
})

test('renderHtml() sets a failed cell apart, with its message and hint', () => {
  const html = renderHtml(failedReport())
  const cell = /<article class="cell failed" id="cell-2">[\s\S]*?<\/article>/.exec(html)![0]
  assert.match(
    cell,
    /<div class="error" role="note"><p><strong>\w+<\/strong> Cannot compile &quot;full_N128_B96_H192&quot;: every rung/,
  )
  assert.match(cell, /<strong>Hint<\/strong> --ladder temporal/)
  assert.match(cell, /\[error\] LCUs: 149\/96\nretry</)
  assert.ok(html.indexOf('class="error"') < html.indexOf('id="gates"'), 'also above everything else')
})

test('renderHtml() shows the stack of a bug and a gate that is blocked', () => {
  const html = renderHtml(blockedReport())
  assert.match(html, /<summary>stack<\/summary>\n<pre>TypeError: x is not a function\n {4}at open/)
  assert.match(html, /<span class="badge blocked">■ blocked<\/span>/)
  assert.match(html, /<body class="v-blocked">/)
})

test('renderHtml() says that a run without a verdict was still going, or killed', () => {
  const html = renderHtml(killedReport())
  assert.match(html, /UNFINISHED<\/h1>/)
  assert.match(html, /still going when this report was written, or it was killed/)
  assert.match(html, /<span class="badge running">running<\/span>/)
  assert.match(html, /\(still being drawn\)/)
  assert.match(html, /No gate has been judged yet/)
})

test('renderHtml() escapes every text, wherever it stands', async () => {
  const html = renderHtml(await hostileReport()).replace(`<script>${script}</script>`, '')
  assert.equal(html.includes('<script'), false)
  assert.equal(html.includes('</style></title>'), false)
  assert.equal(html.includes('"javascript:'), false)
  assert.equal([...html.matchAll(/<\/style>/g)].length, 1)
  assert.equal([...html.matchAll(/<\/title>/g)].length, 1)
  assert.ok([...html.matchAll(/&lt;script&gt;alert\(1\)&lt;\/script&gt;/g)].length > 20)
})

test('renderHtml() stands a report with nothing in it', () => {
  const html = renderHtml({ ...killedReport(), cells: [], inputs: [], artifacts: [], intro: '', fingerprint: {} })
  assert.equal(/id="(?:cells|inputs|artifacts|next|lines)"/.test(html), false)
  assert.match(html, /id="gates"/)
})

test('renderHtml() is a function of the report alone', async () => {
  const report = await passedReport()
  const copy = structuredClone(report)
  assert.equal(renderHtml(report), renderHtml(copy))
  assert.deepEqual(report, copy)
})

test('renderHtml() cuts an enormous log in the middle', () => {
  const report = killedReport()
  report.cells[0]!.outputs.push({
    kind: 'text',
    title: null,
    text: 'a line of a log\n'.repeat(100_000),
    mime: {},
    html: null,
    markdown: null,
  })
  const html = renderHtml(report)
  assert.match(html, /… 98001 more lines …/)
  assert.ok(html.length < 100_000)
})

/** Where a program lies that `needsTool` has found on PATH. */
const pathOf = (program: string): string =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map(folder => join(folder, program))
    .find(path => existsSync(path))!

const browserFlags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/**
 * What a person would complain of: a page that scrolls sideways as a whole, a verdict out of sight, a picture not
 * drawn.
 */
const look = `({
  wide: document.documentElement.scrollWidth,
  verdict: document.getElementById('verdict').innerText,
  box: (({ top, height, width }) => ({ top, height, width }))(
    document.getElementById('verdict').getBoundingClientRect()),
  loaded: [...document.images].every(image => image.complete && image.naturalWidth > 0),
  narrow: [...document.querySelectorAll('td')].filter(td => td.scrollWidth > td.clientWidth + 1)
    .map(td => td.textContent),
  sounds: [...document.querySelectorAll('audio')].map(sound => sound.error === null),
})`

interface Look {
  wide: number
  verdict: string
  box: { top: number; height: number; width: number }
  loaded: boolean
  /** Cells of tables whose words do not fit into them. */
  narrow: string[]
  sounds: boolean[]
}

const inBrowser = { skip: needsTool('chromium'), timeout: 600_000 }

test(
  'renderHtml() opens from disk in a browser, fetches nothing, and fits 360 and 1440 pixels',
  inBrowser,
  async () => {
    const { chromium } = await import('playwright-core')
    const folder = mkdtempSync(join(tmpdir(), 'report-'))
    const browser = await chromium.launch({ executablePath: pathOf('chromium'), args: browserFlags })
    try {
      for (const [name, report] of Object.entries(await everyReport())) {
        const path = join(folder, `${name}.html`)
        writeFileSync(path, renderHtml(report))
        const address = pathToFileURL(path).href
        for (const [width, colorScheme] of [
          [360, 'light'],
          [390, 'light'],
          [1440, 'dark'],
        ] as const) {
          const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme })
          const complaints: string[] = []
          page.on('console', message => complaints.push(message.text()))
          page.on('pageerror', error => complaints.push(error.message))
          page.on('dialog', dialog => complaints.push(`dialog ${dialog.message()}`))
          page.on('request', request => {
            if (request.url() !== address && !request.url().startsWith('data:'))
              complaints.push(`request ${request.url()}`)
          })
          await page.goto(address)
          const seen = (await page.evaluate(look)) as Look
          await page.close()
          assert.deepEqual(complaints, [], `${name} ${width}`)
          assert.equal(seen.wide, width, `${name} ${width}: the page scrolls sideways`)
          if (width < 640) assert.deepEqual(seen.narrow, [], `${name} ${width}`)
          assert.match(seen.verdict, new RegExp(`${report.verdict ?? 'UNFINISHED'}$`))
          assert.ok(
            seen.box.top >= 0 && seen.box.top < 400 && seen.box.height > 10 && seen.box.width > 100,
            `${name} ${width}: verdict in sight`,
          )
          assert.ok(seen.loaded, `${name} ${width}: every picture is drawn`)
          assert.equal(seen.sounds.includes(false), false)
        }
      }
    } finally {
      await browser.close()
    }
  },
)

test('renderHtml() shows hostile text as text in a browser', inBrowser, async () => {
  const { chromium } = await import('playwright-core')
  const browser = await chromium.launch({ executablePath: pathOf('chromium'), args: browserFlags })
  try {
    const page = await browser.newPage()
    await page.setContent(renderHtml(await hostileReport()))
    assert.equal(await page.evaluate('document.querySelector(".asks").textContent'), hostile)
    assert.equal(await page.evaluate('document.querySelectorAll("script").length'), 1)
    assert.equal(await page.evaluate('document.title'), `FAIL ${hostile}`)
  } finally {
    await browser.close()
  }
})

test('renderHtml() puts a button on each command, which copies it whole', inBrowser, async () => {
  const { chromium } = await import('playwright-core')
  const path = join(mkdtempSync(join(tmpdir(), 'report-')), 'report.html')
  const report = await passedReport()
  writeFileSync(path, renderHtml(report))
  const browser = await chromium.launch({ executablePath: pathOf('chromium'), args: browserFlags })
  try {
    const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] })
    const page = await context.newPage()
    await page.goto(pathToFileURL(path).href)
    assert.equal(await page.evaluate('document.querySelectorAll("pre.command button").length'), 2)
    await page.click('#next button')
    await page.waitForFunction('document.querySelector("#next button").textContent === "Copied"')
    assert.equal(await page.evaluate('navigator.clipboard.readText()'), report.next)
  } finally {
    await browser.close()
  }
})

test('renderHtml() folds inputs at their default and long logs of cells that went well, and no others', async () => {
  const report = await passedReport()
  const long = Array.from({ length: 30 }, (_, i) => `line ${i}`).join('\n')
  const log = { kind: 'text', title: null, text: long, mime: {}, html: null, markdown: null } as const
  const [first, ...rest] = report.cells
  const ok = renderHtml({ ...report, cells: [{ ...first!, outputs: [log] }, ...rest] })
  assert.match(ok, /<details><summary>30 lines, the last: <code>line 29<\/code><\/summary>\n<pre>line 0/)
  const failed = renderHtml({ ...report, cells: [{ ...first!, status: 'failed', outputs: [log] }, ...rest] })
  assert.match(failed, /<figure class="output text"><pre>line 0/)
  assert.match(ok, /<details><summary>\d+ at their default<\/summary>/)
  assert.ok(ok.indexOf('--arch</span>') < ok.indexOf('at their default</summary>'))
})

test('renderHtml() says in its head which gate failed and why, and of a stop only that', () => {
  const failed = renderHtml(failedReport())
  assert.match(failed, /class="means">.*Failed: worst cosine, NaN \(&gt;= 0\.999\)\. nothing was compared</)
  const error = {
    name: 'RunbookError',
    message: 'Cannot finish: interrupted',
    hint: 'x',
    code: 'interrupted',
    stack: null,
  }
  const stopped = { ...failedReport(), verdict: 'INTERRUPTED', exit: 130, error, cells: [] } as const
  assert.equal(renderHtml(stopped as unknown as Report).includes('class="error"'), false)
  const killed = { ...stopped, error: { ...error, code: 'SIGKILL' } }
  assert.ok(renderHtml(killed as unknown as Report).includes('class="error"'))
})

test('renderHtml() keeps a fragment that would fetch or run something from doing so', inBrowser, async () => {
  const { chromium } = await import('playwright-core')
  const report = killedReport()
  const html =
    '<img src="http://127.0.0.1:9/x.png"><script>document.title = "ran"</script>' +
    '<img src="data:," onerror="document.title = 1">'
  report.cells[0]!.outputs.push({ kind: 'image', title: null, text: 'x', mime: {}, html, markdown: null })
  const path = join(mkdtempSync(join(tmpdir(), 'report-')), 'report.html')
  writeFileSync(path, renderHtml(report))
  const browser = await chromium.launch({ executablePath: pathOf('chromium'), args: browserFlags })
  try {
    const page = await browser.newPage()
    const blocked: string[] = []
    page.on('console', message => blocked.push(message.text()))
    await page.goto(pathToFileURL(path).href)
    assert.equal(await page.title(), 'UNFINISHED monolithic-sweep')
    assert.ok(
      blocked.some(text => text.includes('127.0.0.1') && text.includes('Content Security Policy')),
      blocked.join('\n'),
    )
  } finally {
    await browser.close()
  }
})
