/**
 * The style sheet of `report.html`: light and dark, narrow and wide, on screen and on paper.
 *
 * Only fonts that the reader's system has; colour never says alone what a word or a mark does not say too.
 */

/** The style sheet of a report. */
export const style = `
:root {
  color-scheme: light dark;
  --paper: #f7f7f5; --card: #ffffff; --ink: #1d2126; --soft: #5b636d; --line: #dfe1e4; --code: #f1f2f3; --link: #0b62a8;
  --good: #146c43; --good-wash: #e0f2e8; --bad: #b3261e; --bad-wash: #fbe5e3; --wait: #845400; --wait-wash: #fbefd5;
    --calm: #31557d; --calm-wash: #e3ecf6;
  --verdict: var(--calm);
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #121417; --card: #1a1d21; --ink: #e4e6e9; --soft: #9ba3ad; --line: #31363c;
    --code: #23272c; --link: #79b8f2;
    --good: #63cf97; --good-wash: #15392a; --bad: #ff8a80; --bad-wash: #47201e; --wait: #e9b85a; --wait-wash: #3d2f12;
      --calm: #8fbcec; --calm-wash: #1d3044;
  }
}
.v-pass { --verdict: #146c43; } .v-fail, .v-bug { --verdict: #a3231c; } .v-blocked, .v-usage { --verdict: #845400; }
.v-interrupted, .v-unfinished { --verdict: #4d5560; } .v-dry-run { --verdict: #31557d; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; overflow-wrap: anywhere; }
main { max-width: 66rem; margin: 0 auto; padding: 1.5rem 1.25rem 3rem; }
h2 { margin: 2.2rem 0 .7rem; font-size: 1.1rem; letter-spacing: .01em; }
a { color: var(--link); }
code, pre { font: 12.5px/1.5 var(--mono); }
pre { margin: .5rem 0; padding: .7rem .9rem; max-height: 32rem; overflow: auto; background: var(--code);
  border-radius: 6px;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.note, .when, footer, .facts { color: var(--soft); }
.note { margin: .3rem 0; font-size: .9em; }
.number { font-variant-numeric: tabular-nums; white-space: nowrap; }

.banner { padding: 1.4rem 1.6rem 1.2rem; border-radius: 10px; background: var(--verdict); color: #fff; }
.banner p { margin: .25rem 0; }
.banner .runbook { font: 600 .9rem var(--mono); opacity: .9; }
.banner h1 { margin: .1rem 0 .3rem; font-size: 2.3rem; line-height: 1.15; letter-spacing: .02em; }
.banner .asks { font-size: 1.15rem; }
.banner .means { opacity: .88; }
.facts { display: flex; flex-wrap: wrap; gap: .3rem 1.3rem; margin: .9rem 0 0; padding: .7rem 0 0; list-style: none;
  border-top: 1px solid #ffffff55; font-size: .9rem; }
.banner .facts { color: #fff; }

.scroll { overflow-x: auto; }
table { border-collapse: collapse; min-width: 100%; font-size: .92rem; }
th, td { padding: .38rem .8rem .38rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line);
  overflow-wrap: break-word; }
th { color: var(--soft); font-weight: 500; font-size: .85rem; white-space: nowrap; }
td { font-variant-numeric: tabular-nums; min-width: 3.5rem; max-width: 32rem; }
tbody tr:last-child td { border-bottom: 0; }
#inputs td { max-width: 24rem; }
.digest { overflow-wrap: anywhere; }
#gates td:first-child { width: 1%; white-space: nowrap; }
#gates td:nth-child(3) { width: 1%; padding-left: 2rem; }
.digest { color: var(--soft); }

.badge { display: inline-block; padding: .02rem .55rem; border-radius: 99px; font-size: .82rem; font-weight: 600;
  white-space: nowrap; background: var(--calm-wash); color: var(--calm); }
.badge.pass, .badge.ok { background: var(--good-wash); color: var(--good); }
.badge.fail, .badge.failed { background: var(--bad-wash); color: var(--bad); }
.badge.blocked, .badge.interrupted { background: var(--wait-wash); color: var(--wait); }
.from { font: 12.5px var(--mono); }
.from.default { color: var(--soft); font-family: inherit; }

.command { border-left: 4px solid var(--verdict); white-space: pre-wrap; overflow-wrap: anywhere; user-select: all;
  -webkit-user-select: all; }
.command { position: relative; padding-right: 5rem; }
.command button { position: absolute; top: .45rem; right: .5rem; padding: .1rem .6rem; border: 1px solid var(--line);
  border-radius: 5px; background: var(--card); color: var(--link); font: 12px/1.5 system-ui, sans-serif;
  cursor: pointer; user-select: none; -webkit-user-select: none; }
.contents ul { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: 1rem 0 0; padding: 0; list-style: none;
  font-size: .9rem; }
.contents a { text-decoration: none; } .contents a:hover { text-decoration: underline; }
summary code { color: var(--ink); }
.strip { display: flex; gap: 2px; height: 12px; margin-bottom: 1rem; }
.strip a { flex-basis: 4px; min-width: 4px; border-radius: 3px; background: var(--calm); opacity: .55; }
.strip a.ok { background: var(--good); } .strip a.failed { background: var(--bad); opacity: 1;
  } .strip a.interrupted { background: var(--wait); opacity: 1; }
.strip a:hover, .strip a:focus { opacity: 1; }
.cell { margin: 0 0 .8rem; padding: .8rem 1.1rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; }
.cell.failed { border-color: var(--bad); border-left-width: 4px; }
.cell h3 { display: flex; flex-wrap: wrap; align-items: baseline; gap: .15rem .6rem; margin: 0; font-size: 1rem; }
.cell h3 .title { flex: 1 1 12rem; }
.n { color: var(--soft); font-variant-numeric: tabular-nums; font-weight: 500; }
.when { display: none; margin: 0; font-size: .8rem; }
.cell:target .when { display: block; }
.output { margin: .8rem 0; }
figcaption { margin-bottom: .3rem; font-size: .9rem; font-weight: 600; }
.plot svg { display: block; max-width: none; height: auto; }
.output.image img { max-width: 100%; }
.output.image > img { height: auto; border-radius: 4px; }
audio { display: block; width: 100%; max-width: 36rem; }
.error { margin: .8rem 0; padding: .7rem 1rem; border-left: 4px solid var(--bad); border-radius: 6px;
  background: var(--bad-wash); }
.error p { margin: .2rem 0; }
.error > p:first-child strong { color: var(--bad); }
details { margin: .6rem 0 0; }
main > details { margin-top: 1.2rem; }
summary { cursor: pointer; color: var(--soft); font-size: .9rem; }
main > details > summary { font-size: 1.1rem; font-weight: 700; color: var(--ink); }
.prose { max-width: 44rem; }
footer { margin-top: 2.5rem; font-size: .82rem; }

@media (max-width: 40rem) {
  main { padding: .75rem .75rem 2rem; }
  .banner { padding: 1rem 1.1rem; }
  .banner h1 { font-size: 1.8rem; }
  .cell { padding: .7rem .8rem; }
  thead { display: none; }
  :is(table, tbody, tr) { display: block; }
  tr { padding: .45rem 0; border-bottom: 1px solid var(--line); }
  tbody tr:last-child { border-bottom: 0; }
  td { display: grid; grid-template-columns: 6.5rem 1fr; gap: .6rem; min-width: 0; max-width: none; padding: .05rem 0;
    border: 0; text-align: left !important; overflow-wrap: anywhere; }
  #inputs td { max-width: none; }
  td::before { content: attr(data-label); color: var(--soft); font-size: .85rem; font-weight: 400; }
  td[data-label=""] { grid-template-columns: 1fr; justify-items: start; }
  td[data-label=""]::before { display: none; }
  #gates tr { display: flex; flex-wrap: wrap; gap: .1rem .8rem; }
  #gates td:nth-child(n) { display: block; flex: 0 1 auto; width: auto; min-width: 0; padding: 0; }
  #gates td::before { display: none; }
  #gates tbody td:nth-child(2) { flex: 1 0 calc(100% - 6.5rem); margin-right: 1rem;
    font-weight: 600; }
  #gates tbody td:nth-child(5) { flex: 1 0 100%; }
  .number { white-space: normal; }
  .command { padding-right: .9rem; padding-bottom: 2.4rem; }
  .command button { top: auto; bottom: .45rem; }
  td:empty { display: none; }
}
@media print {
  :root { --paper: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --code: #f4f4f4; }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  .banner { color: #000; background: #fff; border: 2px solid var(--verdict); }
  .banner .facts { color: #000; border-color: var(--line); }
  pre { max-height: none; white-space: pre-wrap; }
  .scroll { overflow: visible; }
  .strip, audio { display: none; }
  tr, .error, figure { break-inside: avoid; }
}
`.trim()
