// A table that sorts, and that holds only the rows that are in sight, however many there are.
import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";

export interface Column<T> {
  id: string;
  head: ComponentChildren;
  /** The name in words where `head` isn't a text. */
  title?: string;
  cell: (row: T) => ComponentChildren;
  /** By what to sort; without it, the column doesn't sort. */
  by?: (row: T) => number | string | null;
  num?: boolean;
  /** In rem; a fixed layout needs one for every column but those that share the rest. */
  width?: number;
  /** Left out below this width of the table in pixels, where a rem is 16 of them. */
  from?: number;
}

interface Props<T> {
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  rowKey: (row: T) => string | number;
  /** Where a row leads; its first cell becomes the link. */
  href?: (row: T) => string;
  chosen?: string | number | null;
  /** Height of the scrolling box, a CSS length; rows outside of it aren't made. Without it, all rows stand. */
  height?: string;
  sortedBy?: string;
  empty?: ComponentChildren;
  /** Called when the end comes near. */
  onEnd?: () => void;
  /** Called with whether the box stands at its top. */
  onTop?: (top: boolean) => void;
}

const ROW_REM = 2.125;
const AHEAD = 12;

type Order = { id: string; down: boolean } | null;

function sorted<T>(rows: readonly T[], columns: readonly Column<T>[], order: Order): readonly T[] {
  const by = order && columns.find((column) => column.id === order.id)?.by;
  if (!by) return rows;
  const sign = order.down ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [left, right] = [by(a), by(b)];
    if (left === null || right === null) return left === right ? 0 : left === null ? 1 : -1; // none comes last
    return left < right ? -sign : left > right ? sign : 0;
  });
}

export function Table<T>({
  label,
  columns,
  rows,
  rowKey,
  href,
  chosen,
  height,
  sortedBy,
  empty,
  onEnd,
  onTop,
}: Props<T>) {
  const [order, setOrder] = useState<Order>(sortedBy ? { id: sortedBy, down: true } : null);
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600, width: 0 });
  const rem = useMemo(() => parseFloat(getComputedStyle(document.documentElement).fontSize), []);
  const rowHeight = ROW_REM * rem;

  const look = useCallback(() => {
    const element = box.current;
    if (!element) return;
    const next = { top: element.scrollTop, height: element.clientHeight, width: element.clientWidth };
    // a new picture only when other rows come into sight
    setView((was) =>
      Math.floor(was.top / rowHeight) === Math.floor(next.top / rowHeight) &&
      was.height === next.height &&
      was.width === next.width
        ? was
        : next,
    );
  }, [rowHeight]);
  useEffect(() => {
    look();
    const watcher = new ResizeObserver(look);
    if (box.current) watcher.observe(box.current);
    return () => watcher.disconnect();
  }, [look]);

  const shown = columns.filter((column) => !column.from || !view.width || view.width >= (column.from * rem) / 16);
  const all = useMemo(() => sorted(rows, columns, order), [rows, columns, order]);
  const first = height ? Math.max(0, Math.floor(view.top / rowHeight) - AHEAD) : 0;
  const last = height ? Math.min(all.length, Math.ceil((view.top + view.height) / rowHeight) + AHEAD) : all.length;

  const atTop = view.top < rowHeight;
  const nearEnd = last >= all.length - AHEAD;
  const told = useRef({ onEnd, onTop });
  told.current = { onEnd, onTop };
  useEffect(() => told.current.onTop?.(atTop), [atTop]);
  useEffect(() => {
    if (nearEnd && all.length) told.current.onEnd?.();
  }, [nearEnd, all.length]);

  const turn = (id: string) =>
    setOrder((was) => (was?.id !== id ? { id, down: true } : was.down ? { id, down: false } : null));
  const room = (rowsAway: number) =>
    rowsAway > 0 && (
      <tr class="room">
        <td colSpan={shown.length} style={{ height: `${rowsAway * rowHeight}px` }} />
      </tr>
    );

  return (
    <div
      ref={box}
      class="scroll"
      style={height ? { height } : undefined}
      onScroll={look}
      tabIndex={0}
      role="region"
      aria-label={label}
    >
      <table class={`table ${height ? "fixed" : "tight"}`} aria-rowcount={all.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            {shown.map((column) => (
              <th
                key={column.id}
                scope="col"
                class={column.num ? "num" : ""}
                title={column.title}
                style={column.width ? { width: `${column.width}rem` } : undefined}
                aria-sort={order?.id === column.id ? (order.down ? "descending" : "ascending") : undefined}
              >
                {column.by ? (
                  <button type="button" onClick={() => turn(column.id)}>
                    {column.head}
                    <i aria-hidden="true">{order?.id === column.id ? (order.down ? "↓" : "↑") : ""}</i>
                  </button>
                ) : (
                  column.head
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {room(first)}
          {all.slice(first, last).map((row, at) => {
            const key = rowKey(row);
            return (
              <tr
                key={key}
                aria-rowindex={first + at + 2}
                class={`${href ? "link" : ""} ${key === chosen ? "chosen" : ""}`}
                onClick={(event) => {
                  const link = event.currentTarget.querySelector<HTMLAnchorElement>("a[data-row]");
                  if (link && !(event.target as Element).closest("a, button")) link.click();
                }}
              >
                {shown.map((column, place) => (
                  <td key={column.id} class={column.num ? "num" : ""}>
                    {place === 0 && href ? (
                      <a href={href(row)} data-row="">
                        {column.cell(row)}
                      </a>
                    ) : (
                      column.cell(row)
                    )}
                  </td>
                ))}
              </tr>
            );
          })}
          {room(all.length - last)}
        </tbody>
      </table>
      {all.length === 0 && empty}
    </div>
  );
}
