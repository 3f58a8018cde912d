"""The style sheet of our pages: light and dark on screen, black on white in print."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --paper: #ffffff; --soft: #f3f4f6;
  --line: #d0d4da; --quiet: #5b626b; --link: #0059a3;
  --good: #00664a; --part: #8a4b00; --bad: #a11d1d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --paper: #15181c;
  --soft: #20252b; --line: #3b424b; --quiet: #a5adb8; --link: #7cc0ff;
  --good: #4fd1a5; --part: #f0b35a; --bad: #ff8f85; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue",
  "DejaVu Sans", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.8rem; line-height: 1.25; }
h2 { font-size: 1.35rem; margin: 0 0 .6rem; }
h3 { font-size: 1rem; margin: 0 0 .4rem; }
section { border-top: 1px solid var(--line); margin-top: 2.5rem; padding-top: 1.5rem; }
section.words { border: 0; background: var(--soft); padding: 1rem 1.25rem;
  border-left: 4px solid var(--part); }
a { color: var(--link); }
blockquote { margin: .5rem 0 1rem; padding: .1rem 1rem; color: var(--quiet);
  border-left: 4px solid var(--line); font-style: italic; }
.badge { display: inline-block; font-size: .8rem; font-weight: 600; line-height: 1.3;
  padding: .1rem .55rem; border: 1.5px solid currentColor; border-radius: 1rem;
  white-space: nowrap; vertical-align: middle; font-style: normal; }
.badge.holds { color: var(--good); } .badge.holds::before { content: "✓ "; }
.badge.holds-where { color: var(--part); } .badge.holds-where::before { content: "◐ "; }
.badge.fails { color: var(--bad); } .badge.fails::before { content: "✗ "; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .86rem;
  font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem;
  border-bottom: 1px solid var(--line); }
thead th { background: var(--soft); }
.findings td:first-child { width: 34%; } .colophon { width: auto; }
.table { margin: 1.8rem 0; break-inside: avoid-page; }
.note, figcaption { color: var(--quiet); font-size: .86rem; }
.warning { color: var(--bad); font-weight: 600; }
figure { margin: 1.8rem 0; break-inside: avoid; }
figure img { display: block; max-width: 100%; height: auto; margin: 0 auto;
  background: #fff; border: 1px solid var(--line); border-radius: 4px; padding: .5rem; }
figcaption { margin: .5rem auto 0; max-width: 52rem; }
details { margin-top: 1.2rem; } summary { cursor: pointer; color: var(--quiet); }
pre { background: var(--soft); padding: .8rem; overflow-x: auto; font-size: .8rem; }
@media print { :root { --ink: #000; --paper: #fff; --soft: #f3f4f6; --line: #bbb;
  --quiet: #444; --link: #000; --good: #00664a; --part: #8a4b00; --bad: #a11d1d; }
  body { font-size: 10pt; } main { max-width: none; padding: 0; }
  .scroll { overflow: visible; } a { text-decoration: none; } }
"""
