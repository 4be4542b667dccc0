// Draws the charts of a page from /live, and keeps its live parts up to date. Without it every page still shows its tables.
'use strict';

const colours = ['#2f74b8', '#d1731c', '#2c8a57', '#b53a6a', '#7b5cb8', '#8a6d1f', '#1b8f9c', '#a34a2a', '#5d6f86', '#c2557f'];
const bands = ['rgba(120,140,165,0.10)', 'rgba(120,140,165,0.22)'];
// Plotly reads texts as a kind of HTML.
const plain = text => String(text).replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
// A curve's name for people: that of its group says how.
const named = name => name.replace(/^(memory|measure|loss)\//, '').replace(/^fed\/(.*)/, '$1, fed').replace(/^planned\/(.*)/, '$1, planned');
// Values with five digits; counts and bytes with a letter for their thousands.
const isLarge = unit => unit === 'bytes' || unit === 'tokens/s';
const figure5 = (value, unit) => isLarge(unit) && Math.abs(value) >= 1e4 ? Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 4 }).format(value) : String(Number(value.toPrecision(5)));
const style = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const runs = new Map(), inView = new Set();
let source = null, isDrawing = false;

function take(message) {
  for (const news of message.runs) {
    let run = runs.get(news.id);
    if (!run) runs.set(news.id, run = { id: news.id, name: news.name, curves: {}, validation: {}, held: {}, marks: [], phases: [], odd: {} });
    Object.assign(run, { name: news.name, whole: news.whole, share: news.share, step: news.step, phases: news.phases, odd: news.odd });
    if (news.validation) run.validation = news.validation;
    if (news.held) run.held = news.held;
    if (news.marks) run.marks = news.marks;
    for (const [name, part] of Object.entries(news.curves)) {
      const curve = run.curves[name] ??= { s: [], x: [], y: [] };
      for (const axis of ['s', 'x', 'y']) { curve[axis].length = part.keep; for (const value of part[axis]) curve[axis].push(value); }
    }
  }
  if (!isDrawing) { isDrawing = true; requestAnimationFrame(() => { isDrawing = false; draw(); }); }
}

function draw() {
  for (const figure of inView) figure.dataset.scatter ? scatter(figure) : drawOne(figure);
  const reading = [...runs.values()].filter(run => !run.whole);
  const notice = document.getElementById('reading');
  if (notice) notice.textContent = reading.length ? `A sample of the steps is shown; ${Math.round(100 * Math.min(...reading.map(run => run.share)))}% of the file has been read.` : '';
}

function drawOne(figure) {
  const name = figure.dataset.curve, shown = [...runs.values()], isOne = shown.length === 1, traces = [], shapes = [], notes = [];
  shown.forEach((run, i) => {
    const colour = colours[i % colours.length], curve = run.curves[name];
    if (curve && curve.y.some(y => y !== null))
      traces.push({ x: curve.x, y: curve.y, customdata: curve.s, name: plain(isOne ? named(figure.dataset.label || figure.dataset.title) : run.name), mode: 'lines', line: { color: colour, width: 1.5 },
        connectgaps: false, hovertemplate: '%{y} at step %{customdata}<extra>%{fullData.name}</extra>' });
    const held = figure.dataset.more ? Object.entries(run.validation).map(([source, points]) => [`validation ${source}`, points])
      : (figure.dataset.held || '').split('\n').filter(Boolean).flatMap(measure => Object.entries(run.held[measure] || {}).map(([source, points]) => [`${measure}, ${source}`, points]));
    held.forEach(([source, points], j) => traces.push({ x: points.map(p => p[0]), y: points.map(p => p[1]), mode: 'lines+markers', marker: { size: 5 },
        name: plain(isOne ? source : `${run.name}: ${source}`), line: { color: colours[(isOne ? j + 1 : i) % colours.length], dash: isOne ? 'solid' : 'dot', width: 1 } }));
    for (const other of (figure.dataset.also || '').split('\n').filter(Boolean)) {
      const extra = run.curves[other];
      if (extra) traces.push({ x: extra.x, y: extra.y, customdata: extra.s, name: plain(named(other)), mode: 'lines', line: { width: 1.2, color: colours[traces.length % colours.length], dash: other.startsWith('planned/') ? 'dot' : 'solid' } });
    }
    const odd = run.odd[name] || [];
    if (odd.length) traces.push({ x: odd.map(o => o[0]), y: odd.map(() => 0.96), yaxis: 'y2', mode: 'markers', name: 'not a finite number', marker: { symbol: 'x', size: 9, color: style('--bad') },
      text: odd.map(o => `${o[2]} at step ${o[1]}`), hovertemplate: '%{text}<extra></extra>' });
    if (!isOne) return;
    run.phases.forEach((phase, k) => {
      shapes.push({ type: 'rect', xref: 'x', yref: 'paper', x0: phase.from, x1: phase.to, y0: 0, y1: 1, line: { width: 0 }, fillcolor: bands[k % 2], layer: 'below' });
      notes.push({ x: phase.from, y: 1, xref: 'x', yref: 'paper', text: plain(phase.name), showarrow: false, xanchor: 'left', yanchor: 'bottom', font: { size: 11 } });
    });
    const marks = run.marks.filter(mark => mark.kind !== 'end');
    if (marks.length) traces.push({ x: marks.map(m => m.x), y: marks.map(() => 0.03), yaxis: 'y2', mode: 'markers', name: 'starts and incidents', text: marks.map(m => plain(m.text)),
      marker: { symbol: marks.map(m => m.kind === 'start' ? 'triangle-up' : 'diamond'), size: 8, color: marks.map(m => style(m.kind === 'start' ? '--link' : m.kind === 'fault' ? '--bad' : '--warn')) }, hovertemplate: '%{text}<extra></extra>' });
  });
  const empty = !traces.some(trace => trace.yaxis !== 'y2');
  figure.querySelector('.none').hidden = !empty || runs.size === 0;
  const plot = figure.querySelector('.plot');
  plot.hidden = empty;
  if (empty) return;
  const text = style('--text'), line = style('--line');
  const layout = {
    margin: { l: 62, r: 12, t: 20, b: 40 }, paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)', font: { color: text, size: 12 }, shapes, annotations: notes, uirevision: location.search,
    xaxis: { title: { text: document.body.dataset.axis || 'step', standoff: 4 }, gridcolor: line, zerolinecolor: line }, hovermode: 'closest', showlegend: traces.length > 1, legend: { orientation: 'h', x: 0, y: -0.2, yanchor: 'top' },
    yaxis: { gridcolor: line, zerolinecolor: line, type: figure.dataset.log ? 'log' : 'linear', exponentformat: isLarge(figure.dataset.unit) ? 'SI' : 'e', title: { text: figure.dataset.unit || '' } },
    yaxis2: { overlaying: 'y', range: [0, 1], visible: false, fixedrange: true },
  };
  Plotly.react(plot, traces, layout, { displaylogo: false, responsive: true, modeBarButtonsToRemove: ['lasso2d', 'select2d'] });
  if (!plot.dataset.ready) { plot.dataset.ready = '1'; plot.on('plotly_relayout', zoomed); }
  const last = shown.map(run => [run, run.curves[name]]).filter(([, curve]) => curve && curve.y.length);
  const told = last.map(([run, curve]) => `${isOne ? '' : run.name + ' '}${typeof curve.y.at(-1) === 'number' ? figure5(curve.y.at(-1), figure.dataset.unit) : 'not a finite number'} at step ${curve.s[curve.s.length - 1]}`);
  figure.querySelector('.last').textContent = told.slice(0, 3).join(', ');
  plot.setAttribute('aria-label', `${figure.dataset.title}: ${told.slice(0, 5).join('; ')}`);
}

// Points that stand in the page itself: the runs of a sweep against a key.
function scatter(figure) {
  const points = JSON.parse(figure.dataset.scatter), numbers = points.map(p => Number(p.x)), isNumeric = points.length > 0 && numbers.every(Number.isFinite), text = style('--text'), line = style('--line');
  const isLog = isNumeric && Math.min(...numbers) > 0 && Math.max(...numbers) / Math.min(...numbers) >= 8;
  Plotly.react(figure.querySelector('.plot'), [{ x: isNumeric ? numbers : points.map(p => plain(p.x)), y: points.map(p => p.y), text: points.map(p => plain(p.text)), mode: 'markers', marker: { size: 9, color: colours[0] }, hovertemplate: '%{text}: %{y}<extra></extra>' }],
    { margin: { l: 62, r: 12, t: 20, b: 40 }, paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)', font: { color: text, size: 12 }, xaxis: { type: isLog ? 'log' : isNumeric ? 'linear' : 'category', title: { text: plain(figure.dataset.title) }, gridcolor: line },
      yaxis: { gridcolor: line, title: { text: plain(figure.dataset.unit) } } }, { displaylogo: false, responsive: true });
}

// A zoom over steps goes into the address, and the points are chosen anew for it.
function zoomed(change) {
  if ((document.body.dataset.axis || 'step') !== 'step') return;
  const address = new URL(location.href), low = change['xaxis.range[0]'], high = change['xaxis.range[1]'];
  if (low !== undefined && high !== undefined) {
    address.searchParams.set('from', Math.floor(low));
    address.searchParams.set('to', Math.ceil(high));
  } else if (change['xaxis.autorange']) {
    address.searchParams.delete('from');
    address.searchParams.delete('to');
  } else return;
  if (address.href === location.href) return;
  history.replaceState(null, '', address);
  runs.clear();
  connect();
}

function connect() {
  source?.close();
  source = null;
  const main = document.querySelector('main');
  if (!main.dataset.live || document.hidden) return;
  const query = new URLSearchParams(main.dataset.live);
  for (const name of ['from', 'to']) { const value = new URLSearchParams(location.search).get(name); query.delete(name); if (value !== null) query.set(name, value); }
  source = new EventSource('/live?' + query);
  // After a pause the server tells everything again.
  source.onopen = () => runs.clear();
  source.onmessage = event => take(JSON.parse(event.data));
}

// Parts of the page that change: fetched again as a whole, and put in where they differ.
async function refresh() {
  if (document.hidden || document.getElementById('pause')?.checked) return;
  const parts = [...document.querySelectorAll('[data-refresh]')];
  if (!parts.length) return;
  try {
    const answer = await fetch(location.href, { headers: { 'X-Refresh': '1' } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    for (const part of parts) {
      const fresh = page.getElementById(part.id);
      if (!fresh || fresh.innerHTML === part.dataset.was) continue;
      part.dataset.was = fresh.innerHTML;
      if (part.contains(document.activeElement) && document.activeElement.id) {
        const focused = document.activeElement.id;
        keepChecks(part, fresh);
        part.replaceChildren(...fresh.childNodes);
        document.getElementById(focused)?.focus();
      } else if (!part.contains(document.activeElement)) {
        keepChecks(part, fresh);
        part.replaceChildren(...fresh.childNodes);
      }
    }
  } catch { /* The dashboard is away; the next look tries again. */ }
}

function keepChecks(from, to) {
  for (const box of from.querySelectorAll('input[type=checkbox]:checked')) { const twin = to.querySelector(`[id="${CSS.escape(box.id)}"]`); if (twin) twin.setAttribute('checked', ''); }
}

// What is out of view is drawn when it comes into view.
const watcher = new IntersectionObserver(entries => {
  for (const entry of entries) entry.isIntersecting ? inView.add(entry.target) : inView.delete(entry.target);
  draw();
}, { rootMargin: '200px' });
for (const figure of document.querySelectorAll('figure.chart')) watcher.observe(figure);

document.addEventListener('visibilitychange', connect);
window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
connect();
setInterval(refresh, 2000);
