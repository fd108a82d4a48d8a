// The style of the report, in the page itself. Colours are told apart with any eye for colour, and each has its name
// beside it; text has a contrast of at least 4.5 on its ground, shapes of 3.

export const REPORT_STYLE = `
:root {
  color-scheme: light dark;
  --ground: #ffffff; --text: #1b2027; --quiet: #57606a; --line: #d0d7de; --soft: #f3f5f7;
  --alarm: #a40e26; --alarm-soft: #fdf0f1; --good: #0b6b4f;
  --s0: #0068a5; --s1: #d55e00; --s2: #00805e; --s3: #a8508a; --s4: #8a6d00; --s5: #3c8fc2; --s6: #7a838c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0f1317; --text: #e6eaef; --quiet: #9ba7b3; --line: #333c46; --soft: #181e25;
    --alarm: #ff9aa4; --alarm-soft: #2c171b; --good: #5fd3ac;
    --s0: #58aee6; --s1: #f0904c; --s2: #35b98f; --s3: #d994c0; --s4: #cfb24a; --s5: #9bd0f2; --s6: #8b96a1;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 64rem; background: var(--ground); color: var(--text);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif;
  overflow-wrap: anywhere;
}
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 3rem 0 .5rem; padding-top: .75rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
p { margin: .25rem 0 .75rem; max-width: 46rem; }
.quiet, .rest, figcaption { color: var(--quiet); }
.rest { font-size: .875rem; margin: .5rem 0 0; }
code { font: .875em ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
time, .figure, dd { font-variant-numeric: tabular-nums; }
time { white-space: nowrap; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin: 1.5rem 0 0; }
.tiles > div { background: var(--soft); border-radius: .5rem; padding: .75rem 1rem; }
.tiles dt { color: var(--quiet); font-size: .875rem; }
.tiles dd { margin: 0; font-size: 1.5rem; line-height: 1.3; font-weight: 600; }
.tiles dd small { display: block; font-size: .8125rem; font-weight: 400; color: var(--quiet); text-wrap: balance; }
.alerts { margin: 0; padding: 0; list-style: none; }
.alerts li { border-left: .25rem solid var(--alarm); background: var(--alarm-soft); padding: .5rem .75rem; margin: .5rem 0; border-radius: 0 .25rem .25rem 0; }
.alerts code { display: block; color: var(--alarm); }
.calm { color: var(--good); font-weight: 600; }

.s0 { fill: var(--s0); } .s1 { fill: var(--s1); } .s2 { fill: var(--s2); } .s3 { fill: var(--s3); }
.s4 { fill: var(--s4); } .s5 { fill: var(--s5); } .s6 { fill: var(--s6); } .empty { fill: var(--line); }
svg { display: block; }
svg text { fill: var(--quiet); font-size: 12px; font-variant-numeric: tabular-nums; }
.labels text { fill: var(--text); }
.start { text-anchor: start; } .middle { text-anchor: middle; } .end { text-anchor: end; }
.drawing, .levels { overflow: visible; }
.grid { stroke: var(--line); stroke-width: 1; }
.band { stroke: var(--ground); stroke-width: 1; vector-effect: non-scaling-stroke; }
.step { fill: none; stroke: var(--text); stroke-width: 2; stroke-dasharray: 5 4; vector-effect: non-scaling-stroke; }
.mark { stroke: var(--text); stroke-width: 2; }
.rail { stroke: var(--line); stroke-width: 2; } .reach { stroke: var(--quiet); stroke-width: 3; }
.bar { border-radius: 2px; }
.chart { margin: 1rem 0; }
figcaption { font-size: .875rem; margin-bottom: .25rem; }
.plot { display: grid; grid-template-columns: auto minmax(0, 1fr) auto; }
.legend { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .25rem 1rem; }
.legend { margin: .75rem 0; }
.key { display: inline-block; white-space: nowrap; margin-right: 1rem; }
.key svg { display: inline-block; margin-right: .375rem; }
.legend dt { font-size: .875rem; color: var(--quiet); } .legend dd { margin: 0; font-weight: 600; }

table { border-collapse: collapse; width: 100%; margin: .5rem 0; font-size: .9375rem; }
th, td { text-align: left; vertical-align: baseline; padding: .375rem .75rem .375rem 0; border-bottom: 1px solid var(--line); }
thead th { vertical-align: bottom; color: var(--quiet); font-weight: 600; font-size: .8125rem; }
tbody th { font-weight: 600; min-width: 7rem; }
tbody th:has(code) { min-width: 9.5rem; }
th.figure, td.figure { text-align: right; }
td.figure { white-space: nowrap; }
thead th { min-width: 5.25rem; }
td.figure + td:not(.figure), th.figure + th:not(.figure) { padding-left: 1rem; }
th.bar, td.bar { width: 24%; min-width: 6rem; }
td.bar { vertical-align: middle; }
details { margin: .5rem 0; }
summary { color: var(--quiet); cursor: pointer; font-size: .875rem; padding: .25rem 0; }
pre { white-space: pre-wrap; background: var(--soft); border-radius: .25rem; padding: .5rem .75rem; margin: .25rem 0; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: 0 2.5rem; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: .75rem; font-size: .875rem; color: var(--quiet); }

@media screen and (max-width: 52rem) {
  body { padding: 1.25rem 1rem 3rem; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, tbody { display: block; }
  tr { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .125rem .75rem; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  th, td, th.figure, td.figure, td.figure + td:not(.figure) { display: block; border: 0; padding: 0; text-align: left; white-space: normal; }
  tbody th, tbody th:has(code), td.bar { grid-column: 1 / -1; width: auto; min-width: 0; }
  td::before { content: attr(data-head) " "; color: var(--quiet); font-size: .8125rem; display: block; }
  td.bar::before { content: none; }
  .drawing .middle { display: none; }
}
@media print {
  :root {
    color-scheme: light;
    --ground: #ffffff; --text: #000000; --quiet: #444b52; --line: #b8c0c8; --soft: #f3f5f7;
    --alarm: #a40e26; --alarm-soft: #ffffff; --good: #0b6b4f;
    --s0: #0068a5; --s1: #d55e00; --s2: #00805e; --s3: #a8508a; --s4: #8a6d00; --s5: #3c8fc2; --s6: #7a838c;
  }
  html { font-size: 10pt; }
  body { max-width: none; padding: 0; }
  svg, .tiles > div, .alerts li { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  h2 { break-after: avoid; margin-top: 1.5rem; }
  figure, tr, .tiles, .alerts li { break-inside: avoid; }
  details:not([open]) { display: none; }
}
`
