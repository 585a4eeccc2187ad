// A chart: ECharts on a canvas in the theme's colours, with what it shows in words and, on demand, as a table.

import type { EChartsOption } from "echarts";
import type { ECharts } from "echarts/core";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { type Colours, colours, modelOrder } from "./theme";

export type Option = EChartsOption;

/** What a chart shows, for those who read it: names of columns, and rows of texts. */
export interface Shown {
  head: string[];
  rows: (string | number)[][];
}

interface Props {
  /** The option, or a function from the theme's colours to it. Make it once (useMemo) per change of data. */
  option: Option | ((colours: Colours) => Option);
  height: number;
  /** One sentence that says what is to be seen. */
  label: string;
  table?: () => Shown;
  onClick?: (params: { name: string; seriesName?: string; dataIndex: number; data: unknown }) => void;
}

type Library = typeof import("./echarts");
let library: Promise<Library> | null = null;
const loadLibrary = () => {
  library ??= import("./echarts");
  return library;
};

/** What every chart has in common; a page's option is laid over it, one level deep. */
function base(c: Colours): Option {
  return {
    animation: false,
    textStyle: { fontFamily: c.font, fontSize: 12, color: c.soft },
    color: c.hues,
    grid: { left: 8, right: 20, top: 12, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    tooltip: {
      renderMode: "richText", // the page's policy forbids styles in markup
      confine: true,
      backgroundColor: c.card,
      borderColor: c.edge,
      borderWidth: 1,
      padding: [8, 10],
      textStyle: { color: c.text, fontSize: 12, fontFamily: c.font },
      axisPointer: {
        lineStyle: { color: c.soft, width: 1, type: "solid", opacity: 0.6 },
        crossStyle: { color: c.soft },
        label: { backgroundColor: c.text, color: c.card },
      },
    },
  };
}

const axisOf = (c: Colours) => ({
  axisLine: { lineStyle: { color: c.edge } },
  axisTick: { lineStyle: { color: c.edge } },
  axisLabel: { color: c.soft, fontSize: 12, hideOverlap: true },
  nameTextStyle: { color: c.soft, fontSize: 12 },
  splitLine: { lineStyle: { color: c.line } },
  splitArea: { show: false },
});

const legendOf = (c: Colours) => ({ textStyle: { color: c.text }, itemWidth: 10, itemHeight: 10, itemGap: 14 });

type Plain = Record<string, unknown>;
const plain = (value: unknown): value is Plain =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  Object.getPrototypeOf(value) === Object.prototype;

function over(below: Plain, above: Plain): Plain {
  const both: Plain = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const was = below[key];
    both[key] = plain(was) && plain(value) ? over(was, value) : value;
  }
  return both;
}

function dressed(given: Props["option"], c: Colours): Option {
  const option = over(base(c) as Plain, (typeof given === "function" ? given(c) : given) as Plain);
  for (const key of ["xAxis", "yAxis"]) {
    const axes = option[key];
    if (Array.isArray(axes)) option[key] = axes.map((axis) => over(axisOf(c), axis as Plain));
    else if (plain(axes)) option[key] = over(axisOf(c), axes);
  }
  if (plain(option.legend)) option.legend = over(legendOf(c), option.legend);
  return option as Option;
}

/** A chart of fixed height and of the width that it finds. */
export function Chart({ option, height, label, table, onClick }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<ECharts | null>(null);
  const click = useRef(onClick);
  click.current = onClick;
  const [shown, setShown] = useState(false);
  const [drawn, setDrawn] = useState(false);
  const id = useId();
  const c = colours.value;
  const order = modelOrder.value; // other colours for models need another picture

  const wanted = useRef({ option, c });
  wanted.current = { option, c };

  useEffect(() => {
    let gone = false;
    let watcher: ResizeObserver | undefined;
    void loadLibrary().then(({ init }) => {
      if (gone || !box.current) return;
      const made = init(box.current, null, { renderer: "canvas" });
      chart.current = made;
      made.on("click", (params) => click.current?.(params as never));
      made.setOption(dressed(wanted.current.option, wanted.current.c), true);
      watcher = new ResizeObserver(() => made.resize());
      watcher.observe(box.current);
      setDrawn(true);
    });
    return () => {
      gone = true;
      watcher?.disconnect();
      chart.current?.dispose();
      chart.current = null;
    };
  }, []);

  useEffect(() => {
    chart.current?.setOption(dressed(option, c), { replaceMerge: ["series"], lazyUpdate: true });
  }, [option, c, order]);

  return (
    <figure class="chart" data-drawn={drawn ? "" : undefined}>
      <div
        ref={box}
        class="chart-canvas"
        role="img"
        aria-label={label}
        style={{ height: `${height}px` }}
        hidden={shown}
      />
      {shown && table && <ShownAsTable id={id} label={label} table={table()} height={height} />}
      {table && (
        <button
          type="button"
          class="chart-switch"
          aria-expanded={shown}
          aria-controls={id}
          onClick={() => setShown(!shown)}
        >
          {shown ? "Show chart" : "Show as table"}
          <span class="sr">: {label}</span>
        </button>
      )}
    </figure>
  );
}

function ShownAsTable({ id, label, table, height }: { id: string; label: string; table: Shown; height: number }) {
  return (
    <section
      id={id}
      class="chart-table"
      style={{ maxHeight: `${Math.max(height, 160)}px` }}
      tabIndex={0}
      aria-label={label}
    >
      <table class="table">
        <thead>
          <tr>
            {table.head.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, at) => (
            <tr key={at}>
              {row.map((cell, column) => (
                <td key={column} class={typeof cell === "number" ? "num" : ""}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
