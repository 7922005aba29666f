// Makes the golden data beside this file with the packages that the renderer's algorithms are after:
//   npm install roughjs@4.6.4 perfect-freehand@1.2.0 && node make.mjs
// Both packages have the MIT licence (see ../NOTICES.md). The data are numbers that they compute, rounded.
import { createRequire } from 'node:module';
import { readFileSync, writeFileSync } from 'node:fs';

const require = createRequire(process.env.MODULES ?? import.meta.url);
const rough = require('roughjs/bundled/rough.cjs.js');
const { getStroke } = require('perfect-freehand');

const round = (n) => Math.round(n * 1e6) / 1e6;
const generator = rough.generator();

const loop = [[0, 0], [60, 10], [110, 70], [40, 90], [3, 4]];
const options = (over) => ({
  seed: 1968410350, roughness: 1, strokeWidth: 2, fillWeight: 1, hachureGap: 8, preserveVertices: true,
  disableMultiStroke: false, ...over,
});
const shapes = {
  line: (o) => generator.line(1, 2, 300, 40, o),
  lines: (o) => generator.linearPath(loop, o),
  polygon: (o) => generator.polygon(loop, o),
  ellipse: (o) => generator.ellipse(60, 35, 120, 70, { ...o, curveFitting: 1 }),
  circle: (o) => generator.ellipse(60, 35, 12, 12, o),
  curve: (o) => generator.curve(loop, o),
  curve2: (o) => generator.curve(loop.slice(0, 2), o),
  path: (o) => generator.path('M 16 0 L 184 0 Q 200 0, 200 16 L 200 84 C 200 100, 200 100, 184 100 L 16 100 Q 0 100, 0 84 L 0 16 Q 0 0, 16 0', o),
};
const variants = [
  {}, { roughness: 0 }, { roughness: 2, preserveVertices: false }, { disableMultiStroke: true }, { seed: 7 },
  { fill: 'x', fillStyle: 'hachure' }, { fill: 'x', fillStyle: 'cross-hatch', seed: 12345 },
  { fill: 'x', fillStyle: 'zigzag', roughness: 0 }, { fill: 'x', fillStyle: 'solid' },
  { fill: 'x', fillStyle: 'hachure', roughness: 0, hachureGap: 5.5 }, { fill: 'x', fillStyle: 'hachure', roughness: 2, seed: 3 },
];
const filling = ['polygon', 'ellipse', 'curve', 'path'];
const cases = [];
for (const [shape, draw] of Object.entries(shapes)) {
  for (const variant of variants) {
    if (variant.fill && !filling.includes(shape)) continue;
    const o = options(variant);
    const drawable = draw({ ...o });
    const { fill, ...plain } = o;
    if (!fill) delete plain.fillStyle;
    const sets = drawable.sets.map(({ type, ops }) => {
      // Long lists are judged by their length, their sum, their beginning and their end.
      const numbers = ops.flatMap(({ data }) => data);
      return {
        type, ops: ops.map(({ op }) => op[0]).join('').replace(/(mb)+/g, (m) => `(${m.length / 2})`),
        count: numbers.length, sum: round(numbers.reduce((a, b) => a + b, 0)),
        first: numbers.slice(0, 8).map(round), last: numbers.slice(-6).map(round),
      };
    });
    cases.push({ shape, options: plain, sets });
  }
}
writeFileSync(new URL('rough.json', import.meta.url), `[\n${cases.map((one) => JSON.stringify(one)).join(',\n')}\n]\n`);

// Strokes: some made up, some from real drawings.
const wave = Array.from({ length: 40 }, (_, i) => [i * 5, Math.sin(i / 4) * 30]);
const zigzag = Array.from({ length: 24 }, (_, i) => [i % 2 ? 40 : i, i * 3]);
const strokes = [
  { points: [[0, 0]] }, { points: [[0, 0], [30, 40]] }, { points: [[0, 0], [0, 0], [0, 0]] }, { points: wave },
  { points: zigzag }, { points: [[0, 0], [10, 0], [20, 0], [10, 0], [0, 0]] },
  { points: wave, pressures: wave.map((_, i) => (i % 10) / 10) }, { points: wave.slice(0, 2), pressures: [0.3, 0.9] },
  { points: wave, pressures: [0.5] }, { points: wave, width: 0.5 }, { points: zigzag, width: 4 },
  { points: [[0, 0], [1, 1], [2, 2]], pressures: [0, 0, 0] },
].map((stroke) => ({ width: 1, ...stroke }));
const library = JSON.parse(readFileSync(new URL('../../../../e2e/drawings/dhtoran__stick-people.excalidrawlib', import.meta.url)));
const elements = (library.libraryItems ?? []).flatMap((item) => item.elements).concat((library.library ?? []).flat());
for (const { type, points, pressures, simulatePressure, strokeWidth } of elements) {
  if (type === 'freedraw' && strokes.length < 15 && points.length > 10 && points.length < 80) {
    strokes.push({ width: strokeWidth, points, ...(simulatePressure ? {} : { pressures }) });
  }
}
for (const stroke of strokes) {
  const simulate = !stroke.pressures;
  const input = simulate ? stroke.points : stroke.points.map(([x, y], i) => [x, y, stroke.pressures[i]]);
  stroke.outline = getStroke(input, {
    simulatePressure: simulate, size: stroke.width * 4.25, thinning: 0.6, smoothing: 0.5, streamline: 0.5,
    easing: (t) => Math.sin((t * Math.PI) / 2), last: true,
  }).flat().map((n) => Math.round(n * 1e4) / 1e4);
}
writeFileSync(new URL('freehand.json', import.meta.url), `[\n${strokes.map((one) => JSON.stringify(one)).join(',\n')}\n]\n`);
