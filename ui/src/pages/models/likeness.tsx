// A map on which models stand near each other that err on the same prompts. Directions mean nothing, distances do, so
// both axes have the same scale: as many units to the pixel across as upwards.
import { useMemo } from "preact/hooks";
import { Chart, type Option } from "../../chart";
import { brief } from "../../format";
import { type Frame, gridOf, keepApart, pointIn } from "../../labels";
import { type Colours, colourOf } from "../../theme";
import type { Id, Models } from "../../types";
import { useWidth } from "../../use";

type Spot = Models["likeness"][number];
const MARGIN = 0.16; // of the map's extent, for labels at its edges
const HEIGHT = 320;
const SIZE = 12; // of a spot, in pixels

/** Ranges of both axes that show all spots undistorted in a box of this shape. */
export function ranges(spots: Spot[], width: number, height: number): { x: [number, number]; y: [number, number] } {
  const extent = (values: number[]): [number, number] => [Math.min(...values), Math.max(...values)];
  const [left, right] = extent(spots.map((spot) => spot.x));
  const [low, high] = extent(spots.map((spot) => spot.y));
  const unit = Math.max((right - left) / width, (high - low) / height, 1e-9) * (1 + 2 * MARGIN); // units a pixel
  const around = (middle: number, pixels: number): [number, number] => [
    middle - (unit * pixels) / 2,
    middle + (unit * pixels) / 2,
  ];
  return { x: around((left + right) / 2, width), y: around((low + high) / 2, height) };
}

export function LikenessMap({ spots, chosen }: { spots: Spot[]; chosen: Id | null }) {
  const [box, width] = useWidth();
  const option = useMemo(() => (c: Colours) => drawn(spots, chosen, width || 500, c), [spots, chosen, width]);
  return (
    <div ref={box}>
      <Chart
        option={option}
        height={HEIGHT}
        label="Likeness map: models that err on the same prompts are near each other"
        table={() => ({
          head: ["Model", "Errs most like"],
          rows: spots.map((spot) => [spot.id, nearest(spot, spots)]),
        })}
      />
    </div>
  );
}

function nearest(spot: Spot, spots: Spot[]): string {
  const others = spots.filter((one) => one !== spot);
  const distance = (one: Spot): number => Math.hypot(one.x - spot.x, one.y - spot.y);
  return others.sort((a, b) => distance(a) - distance(b))[0]?.id ?? "–";
}

function drawn(spots: Spot[], chosen: Id | null, width: number, c: Colours): Option {
  const { x, y } = ranges(spots, width, HEIGHT);
  const frame: Frame = { box: { width, height: HEIGHT }, left: 0, right: 0, top: 0, bottom: 0, x, y };
  const points = spots.map((spot) => pointIn(frame, spot.x, spot.y, SIZE));
  const axis = {
    type: "value" as const,
    axisLabel: { show: false },
    axisTick: { show: false },
    axisLine: { show: false },
    splitLine: { show: false },
  };
  return {
    grid: gridOf(frame),
    xAxis: { ...axis, min: x[0], max: x[1] },
    yAxis: { ...axis, min: y[0], max: y[1] },
    tooltip: { formatter: (params) => (params as { name: string }).name },
    series: [
      {
        type: "scatter",
        data: spots.map((spot) => ({
          name: spot.id,
          value: [spot.x, spot.y],
          itemStyle: { color: colourOf(spot.id) },
          symbolSize: spot.id === chosen ? 1.5 * SIZE : SIZE,
        })),
        label: { show: true, position: "right", formatter: (params) => brief(params.name), color: c.text },
        labelLayout: keepApart(frame, points).beside,
      },
    ],
  };
}
