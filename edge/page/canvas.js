// The picture of bars: uPlot with a line or candles, volume below, and a mark at the last price. Prices are numbers here, to be drawn.

import uPlot from "./vendor/uplot-1.6.32/uPlot.esm.js";
import { mark } from "./times.js";

const VOLUME_SHARE = 5;
const TAG_PAD = 5;
// A mark nearer to the left end would be cut.
const EDGE = 16;
const FEWEST_BARS = 20;
const FONT = '11px ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

/** Colours of the theme that holds now. */
function palette() {
  const style = getComputedStyle(document.documentElement);
  const one = (name) => style.getPropertyValue(`--${name}`).trim();
  return { line: one("accent"), area: one("accent-soft"), grid: one("grid"), text: one("quiet"), up: one("up"), down: one("down"), volume: one("volume"), ground: one("panel") };
}

/** Decimals that tell prices in this range apart. */
const decimals = (low, high) => (high - low < 0.02 ? 4 : high - low > 5_000 ? 0 : 2);

export class Picture {
  #plot = null;
  #host;
  #shape = "line";
  #apart = 60;
  #onCursor;

  constructor(host, onCursor) {
    this.#host = host;
    this.#onCursor = onCursor;
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(host);
  }

  /** Draw bars from scratch. */
  draw(bars, shape) {
    this.#plot?.destroy();
    [this.#shape, this.#apart] = [shape, bars.apart];
    this.#plot = new uPlot(this.#options(palette()), bars.columns(), this.#host);
  }

  /** Draw the same bars after the last one changed. Returns whether there is a picture. */
  refresh(bars) {
    this.#plot?.setData(bars.columns());
    return this.#plot !== null;
  }

  clear() {
    this.#plot?.destroy();
    this.#plot = null;
  }

  #size() {
    return { width: Math.max(120, this.#host.clientWidth), height: Math.max(120, this.#host.clientHeight) };
  }

  #options(colours) {
    const unseen = { paths: () => null, points: { show: false } };
    const isLine = this.#shape === "line";
    const points = { show: (plot) => plot.data[0].length === 1, size: 6, fill: colours.line };
    const line = { stroke: colours.line, width: 1.5, fill: colours.area, points };
    const bars = uPlot.paths.bars({ size: [0.7, 12] });
    const axis = { stroke: colours.text, font: FONT, grid: { stroke: colours.grid, width: 1 }, ticks: { show: false } };
    return {
      ...this.#size(),
      padding: [12, 0, 0, 18],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { show: isLine, size: 7 }, y: false },
      scales: {
        x: { range: (plot) => room(plot.data[0], this.#apart) },
        y: { range: (_, low, high) => (low === high ? [low * 0.99, high * 1.01] : [low - (high - low) * 0.28, high + (high - low) * 0.06]) },
        volume: { range: (_, __, high) => [0, Math.max(1, high) * VOLUME_SHARE] },
      },
      axes: [
        { ...axis, grid: { show: false }, size: 26, gap: 6, space: 70, values: (plot, splits, _, __, apart) => splits.map((second) => (plot.valToPos(second, "x") < EDGE ? "" : mark(new Date(second * 1000), apart))) },
        { ...axis, side: 1, size: 66, gap: 8, space: 34, values: (plot, splits) => splits.map((price) => price.toFixed(decimals(plot.scales.y.min, plot.scales.y.max))) },
      ],
      series: [
        {},
        isLine ? line : { ...unseen, stroke: colours.line },
        unseen,
        unseen,
        unseen,
        { scale: "volume", paths: bars, fill: colours.volume, width: 0, points: { show: false } },
      ],
      hooks: {
        drawSeries: [(plot, index) => index === 1 && !isLine && candles(plot, colours, this.#apart)],
        draw: [(plot) => lastPrice(plot, colours)],
        setCursor: [(plot) => this.#onCursor(plot.cursor.idx ?? null)],
      },
    };
  }
}

/** From when to when the picture goes: half a bar more at both ends, so that none is cut; a young chart grows from the right. */
function room(times, apart) {
  if (!times.length) return [0, apart];
  const to = times.at(-1) + apart / 2;
  return [Math.min(times[0] - apart / 2, to - FEWEST_BARS * apart), to];
}

function candles(plot, colours, apart) {
  const { ctx, data } = plot;
  const [times, closes, highs, lows, opens] = data;
  const step = Math.abs(plot.valToPos(times[0] + apart, "x", true) - plot.valToPos(times[0], "x", true));
  const width = Math.max(1, Math.min(14 * devicePixelRatio, Math.floor(step * 0.7)));
  ctx.save();
  for (let index = 0; index < times.length; index++) {
    const x = Math.round(plot.valToPos(times[index], "x", true));
    const [open, close, high, low] = [opens, closes, highs, lows].map((column) => Math.round(plot.valToPos(column[index], "y", true)));
    ctx.fillStyle = closes[index] >= opens[index] ? colours.up : colours.down;
    ctx.fillRect(x, high, Math.max(1, Math.round(devicePixelRatio * 0.75)), Math.max(1, low - high));
    ctx.fillRect(x - Math.floor(width / 2), Math.min(open, close), width, Math.max(1, Math.abs(close - open)));
  }
  ctx.restore();
}

/** A dashed line at the last price, and the price itself on the axis. */
function lastPrice(plot, colours) {
  const [price, open] = [plot.data[1].at(-1), plot.data[1][0]];
  if (price === undefined || price === null) return;
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio;
  const y = Math.round(plot.valToPos(price, "y", true));
  const colour = price >= open ? colours.up : colours.down;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour;
  ctx.lineWidth = scale;
  ctx.setLineDash([3 * scale, 3 * scale]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  const text = price.toFixed(decimals(plot.scales.y.min, plot.scales.y.max));
  ctx.font = FONT.replace("11px", `600 ${11 * scale}px`);
  const width = ctx.measureText(text).width + 2 * TAG_PAD * scale;
  ctx.beginPath();
  ctx.roundRect(bbox.left + bbox.width + 3 * scale, y - 9 * scale, width, 18 * scale, 4 * scale);
  ctx.fill();
  ctx.fillStyle = colours.ground;
  ctx.textBaseline = "middle";
  ctx.fillText(text, bbox.left + bbox.width + (3 + TAG_PAD) * scale, y + scale / 2);
  ctx.restore();
}
