// The icon as PNG, painted from its few shapes: no tool that draws SVG has to be installed.

import { deflateSync } from "node:zlib";

const BLUE = [0x2f, 0x54, 0xc9];
const WHITE = [0xff, 0xff, 0xff];

/** Whether a point of the 512 x 512 drawing lies in a rectangle with round corners. */
const within = (x, y, left, top, width, height, radius) => {
  const dx = Math.max(left + radius - x, x - (left + width - radius), 0);
  const dy = Math.max(top + radius - y, y - (top + height - radius), 0);
  return dx * dx + dy * dy <= radius * radius;
};

const colour = (x, y) => {
  const eye = [204, 308].some((cx) => (x - cx) ** 2 + (y - 220) ** 2 <= 22 ** 2);
  const tail = x >= 192 && y >= 320 && x - 192 + (y - 328) <= 72;
  const bubble = within(x, y, 128, 112, 256, 216, 40) || tail;
  return bubble && !eye ? WHITE : BLUE;
};

export function png(size) {
  const rows = [];
  for (let y = 0; y < size; y++) {
    const row = Buffer.alloc(1 + size * 3);
    for (let x = 0; x < size; x++) row.set(blended(x, y, 512 / size), 1 + x * 3);
    rows.push(row);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const data = deflateSync(Buffer.concat(rows), { level: 9 });
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", data), chunk("IEND", Buffer.alloc(0))]);
}

/** The mean of sixteen points of a pixel. */
function blended(x, y, scale) {
  const sum = [0, 0, 0];
  for (let at = 0; at < 16; at++) {
    const found = colour((x + (at % 4) / 4 + 0.125) * scale, (y + Math.floor(at / 4) / 4 + 0.125) * scale);
    for (let band = 0; band < 3; band++) sum[band] += found[band] / 16;
  }
  return sum.map(Math.round);
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type), data]);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(data.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(checksum(body));
  return Buffer.concat([size, body, sum]);
}

/** CRC-32, as PNG wants it. */
function checksum(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
