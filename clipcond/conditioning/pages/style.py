"""The style of reports: light and dark, from 390 pixels on, all of it below `.clipcond-report`."""

from __future__ import annotations

PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
html {{ background: #fbfaf8; }}
@media (prefers-color-scheme: dark) {{ html {{ background: #14161a; }} }}
body {{ margin: 0; }}
</style>
</head>
<body>
<main>
{content}
</main>
</body>
</html>
"""

STYLE = """
.clipcond-report {
  color-scheme: light dark;
  --paper: #fbfaf8; --card: #ffffff; --ink: #1b1d21; --soft: #565b63; --line: #dcdad5;
  --up: 255 140 0; --down: 30 120 255; --most: 55%; --mark: #ffe58a; --note: #8a2b00;
  --gone: #ffdcd6; --new: #cdf0d3; --bar: #5a6b85;
  box-sizing: border-box; max-width: 76rem; margin: 0 auto; padding: 1.5rem 1rem 3rem;
  background: var(--paper); color: var(--ink); overflow-wrap: anywhere;
  font: 1rem/1.55 system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif;
}
@media (prefers-color-scheme: dark) {
  .clipcond-report {
    --paper: #14161a; --card: #1c1f25; --ink: #e9ebee; --soft: #a9b0ba; --line: #363b44;
    --up: 255 150 30; --down: 70 140 255; --most: 48%; --mark: #5c4a00; --note: #ffd08a;
    --gone: #5a241c; --new: #1c4a2a; --bar: #8fa3c4;
  }
}
.clipcond-report *, .clipcond-report *::before { box-sizing: border-box; }
.clipcond-report h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 1rem; }
.clipcond-report h2 { font-size: 1.3rem; line-height: 1.3; margin: 2.2rem 0 .7rem; }
.clipcond-report h3 { font-size: 1.05rem; margin: 1.4rem 0 .5rem; }
.clipcond-report h4 { font-size: .95rem; margin: 0 0 .5rem; }
.clipcond-report p { margin: .4rem 0; }
.clipcond-report .cc-soft { color: var(--soft); }
.clipcond-report .cc-card {
  background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: .8rem .9rem; margin: 0 0 .8rem;
}
.clipcond-report .cc-prompt { white-space: pre-wrap; font-size: 1.05rem; }
.clipcond-report .cc-facts { display: flex; flex-wrap: wrap; gap: .3rem 1.6rem; margin: .7rem 0; }
.clipcond-report .cc-facts div { display: flex; gap: .5rem; }
.clipcond-report .cc-facts dt { color: var(--soft); white-space: nowrap; }
.clipcond-report .cc-facts dt::after { content: ":"; }
.clipcond-report .cc-facts dd { margin: 0; }
.clipcond-report .cc-flow {
  list-style: none; display: flex; flex-wrap: wrap; gap: .35rem; margin: 0; padding: 0;
}
.clipcond-report .cc-flow > li {
  --part: var(--down); --strength: 0;
  border: 1px solid var(--line); border-radius: .35rem; padding: .05rem .4rem;
  background: rgb(var(--part) / calc(var(--strength) * var(--most)));
  display: inline-flex; align-items: baseline; gap: .4rem; max-width: 100%; min-width: 0;
}
.clipcond-report .cc-flow > li.cc-up { --part: var(--up); }
.clipcond-report .cc-flow > li.cc-frame { border-style: dashed; color: var(--soft); }
.clipcond-report .cc-text { white-space: pre-wrap; min-width: 0; }
.clipcond-report .cc-number, .clipcond-report .cc-moved {
  font-size: .8rem; font-variant-numeric: tabular-nums; white-space: nowrap;
}
.clipcond-report .cc-up .cc-number, .clipcond-report .cc-down .cc-number { font-weight: 700; }
.clipcond-report .cc-count {
  font-weight: 400; color: var(--soft); font-variant-numeric: tabular-nums;
}
.clipcond-report .cc-unseen {
  font: .75em ui-monospace, monospace; border: 1px dotted currentColor; border-radius: .2em;
  padding: 0 .2em;
}
.clipcond-report mark {
  background: var(--mark); color: inherit; border-bottom: 2px solid var(--note);
  border-radius: .15rem; padding: 0 .1em;
}
.clipcond-report sup { color: var(--note); font-size: .7em; font-weight: 700; line-height: 0; }
.clipcond-report mark > sup { margin-right: .15em; }
.clipcond-report .cc-issues { margin: 0; padding-left: 1.6rem; }
.clipcond-report .cc-issues li { margin: 0 0 .7rem; }
.clipcond-report .cc-issues li::marker { color: var(--note); font-weight: 700; }
.clipcond-report .cc-place {
  font-family: ui-monospace, "Noto Sans Mono CJK SC", monospace; font-size: .9rem;
  white-space: pre-wrap;
}
.clipcond-report .cc-scroll { overflow-x: auto; }
.clipcond-report table {
  border-collapse: collapse; font-size: .9rem; margin: .5rem 0;
  overflow-wrap: normal; word-break: keep-all;
}
.clipcond-report caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
.clipcond-report th, .clipcond-report td {
  border-bottom: 1px solid var(--line); padding: .2rem .7rem .2rem 0; text-align: left;
  vertical-align: top;
}
.clipcond-report .cc-right { text-align: right; font-variant-numeric: tabular-nums; }
.clipcond-report summary { cursor: pointer; padding: .2rem 0; }
.clipcond-report :focus-visible { outline: 2px solid var(--bar); outline-offset: 2px; }
.clipcond-report .cc-steps { list-style: none; margin: 0; padding: .3rem .9rem; }
.clipcond-report .cc-steps > li { padding: .5rem 0; border-bottom: 1px solid var(--line); }
.clipcond-report .cc-steps > li:last-child { border-bottom: 0; }
.clipcond-report .cc-line {
  display: block; height: .5rem; border-radius: .25rem; background: var(--line);
  margin: .25rem 0 .4rem;
}
.clipcond-report .cc-line span {
  display: block; height: 100%; border-radius: inherit; background: var(--bar);
  margin-left: calc(var(--from) * 100%); width: calc(var(--share) * 100%);
}
.clipcond-report .cc-parts { margin: 0; padding-left: 1.2rem; }
.clipcond-report .cc-badge {
  font-size: .8rem; font-weight: 400; border: 1px solid currentColor; border-radius: 1rem;
  padding: 0 .5rem; white-space: nowrap;
}
.clipcond-report .cc-fill {
  display: block; height: .3rem; border-radius: .15rem; background: var(--line);
  margin: 0 0 .6rem; max-width: 20rem;
}
.clipcond-report .cc-fill span {
  display: block; height: 100%; border-radius: inherit; background: var(--bar);
  width: calc(var(--share) * 100%);
}
.clipcond-report .cc-sides { display: grid; gap: 0 1.5rem; grid-template-columns: minmax(0, 1fr); }
@media (min-width: 900px) {
  .clipcond-report .cc-sides { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
}
.clipcond-report .cc-flow > li.cc-del { background: var(--gone); }
.clipcond-report .cc-flow > li.cc-ins { background: var(--new); }
.clipcond-report del { text-decoration-thickness: 2px; }
.clipcond-report ins { text-decoration: none; }
.clipcond-report ol.cc-flow.cc-card { padding: .8rem .9rem; }
"""
