// What a browser's engine does with a finished stroke of 500 points, in either form: `node benches/encoding/browser.mjs`.
// JSON.parse is compiled code; whoever reads bytes in JavaScript pays for each of them.

const points = Array.from({ length: 500 }, (_, n) => [
  Math.round((n * 1.75 + Math.sin(n * 0.3) * 12) * 100) / 100,
  Math.round(Math.cos(n * 0.05) * 14000) / 100,
]);
const text = JSON.stringify({ t: "change", seq: 99, elements: [{ id: "oDVXy8D6rom3H1-LLH2-f", version: 4, points }] });

const bytes = [];
const put = (value) => {
  for (; value >= 0x80; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  bytes.push(value);
};
let last = [0, 0];
put(points.length);
for (const point of points) {
  const hundredths = point.map((value) => Math.round(value * 100));
  for (const place of [0, 1]) {
    const step = hundredths[place] - last[place];
    put(((step << 1) ^ (step >> 31)) >>> 0);
  }
  last = hundredths;
}
const packed = Uint8Array.from(bytes);

function unpack(packed) {
  let place = 0;
  const get = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = packed[place++];
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  };
  const step = () => {
    const value = get();
    return (value >>> 1) ^ -(value & 1);
  };
  const found = new Array(get());
  for (let n = 0, x = 0, y = 0; n < found.length; n++) {
    x += step();
    y += step();
    found[n] = [x / 100, y / 100];
  }
  return found;
}

if (JSON.stringify(unpack(packed)) !== JSON.stringify(points)) throw new Error("the binary form does not come back");

const microseconds = (work) => {
  let best = Infinity;
  for (let round = 0; round < 400; round++) {
    const start = performance.now();
    for (let n = 0; n < 20; n++) work();
    best = Math.min(best, ((performance.now() - start) / 20) * 1000);
  }
  return best.toFixed(1);
};
console.log(`JSON.parse: ${text.length} bytes, ${microseconds(() => JSON.parse(text))} us`);
console.log(`binary:     ${packed.length} bytes, ${microseconds(() => unpack(packed))} us`);
