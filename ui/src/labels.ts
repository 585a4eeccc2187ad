// Labels of points that keep out of each other's way: to the right of the point, else to its left, above, below, or a
// step further up or down; where none of these is free, the label is left out (the tooltip and the table still have it).
//
// Points that are drawn first choose first, so a chart puts what matters most at the front of its series. To know where
// points are that are drawn later, the chart has to say itself where its frame stands and from what to what it goes.

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

interface Asked {
  seriesIndex: number;
  dataIndex?: number;
  rect: Rect; // of the point
  labelRect: Rect;
}

const GAP = 4;
const LINE = 14; // pixels that a line takes; the chart's own measure of it depends on the fonts that there are
const BESIDE = 2; // of the places
const AWAY = -10_000; // out of sight

const meet = (a: Rect, b: Rect): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

/** Where a label may stand beside its point, the best place first. */
export function places(point: Rect, { width, height }: { width: number; height: number }): Rect[] {
  const [right, left] = [point.x + point.width + GAP, point.x - width - GAP];
  const [middleX, middleY] = [point.x + (point.width - width) / 2, point.y + (point.height - height) / 2];
  const [above, below] = [point.y - height - 1, point.y + point.height + 1];
  const spots: [number, number][] = [
    [right, middleY],
    [left, middleY],
    [middleX, above],
    [middleX, below],
    [right, above + height / 2],
    [right, below - height / 2],
    [left, above + height / 2],
    [left, below - height / 2],
    [right - GAP, above],
    [right - GAP, below],
    [left + GAP, above],
    [left + GAP, below],
  ];
  return spots.map(([x, y]) => ({ x, y, width, height }));
}

/** The first place that is free and within bounds; null where there is none. */
export function place(
  point: Rect,
  label: Rect,
  taken: Rect[],
  within: (one: Rect) => boolean,
  rather: "beside" | "above",
): Rect | null {
  const all = places(point, label);
  const ordered = rather === "above" ? [...all.slice(BESIDE), ...all.slice(0, BESIDE)] : all;
  return ordered.find((one) => within(one) && !taken.some((other) => meet(one, other))) ?? null;
}

/** A chart's inner frame in pixels, within a box, and the values at its ends. */
export interface Frame {
  box: { width: number; height: number };
  left: number;
  right: number; // from the box's right end
  top: number;
  bottom: number;
  x: [number, number];
  y: [number, number];
}

/** What goes into a chart's option, so that its frame is where it says. */
export const gridOf = ({ left, right, top, bottom }: Frame) => ({
  left,
  right,
  top,
  bottom,
  outerBoundsMode: "none" as const,
});

/** The square that a point of this size takes. */
export function pointIn(frame: Frame, x: number, y: number, size: number): Rect {
  const { box, left, right, top, bottom } = frame;
  const share = (value: number, [from, to]: [number, number]): number => (value - from) / (to - from || 1);
  const atX = left + share(x, frame.x) * (box.width - left - right);
  const atY = box.height - bottom - share(y, frame.y) * (box.height - top - bottom);
  return { x: atX - size / 2, y: atY - size / 2, width: size, height: size };
}

/** `labelLayout`s for the series of a chart with these points: labels that stand beside them, or rather above. */
export function keepApart({ box, left, bottom }: Frame, points: Rect[]) {
  const within = (one: Rect): boolean =>
    one.x >= left && one.y >= 0 && one.x + one.width <= box.width && one.y + one.height <= box.height - bottom;
  let taken: Rect[] = [...points];
  const seen = new Set<string>();
  const lay = (rather: "beside" | "above", { seriesIndex, dataIndex, rect, labelRect }: Asked) => {
    const key = `${seriesIndex} ${dataIndex}`;
    if (seen.has(key)) {
      // the chart is laid out anew
      taken = [...points];
      seen.clear();
    }
    seen.add(key);
    const found = place(rect, { ...labelRect, height: LINE }, taken, within, rather);
    if (found) taken.push(found);
    const [x, y] = found ? [found.x, found.y + LINE / 2] : [AWAY, AWAY];
    return { x, y, align: "left" as const, verticalAlign: "middle" as const };
  };
  return { beside: (asked: Asked) => lay("beside", asked), above: (asked: Asked) => lay("above", asked) };
}
