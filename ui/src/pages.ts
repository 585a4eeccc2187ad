// The pages in the order of the navigation, with the key that follows `g`.
export interface PageEntry {
  id: string;
  name: string;
  key: string;
  icon: string; // path data on a 16 × 16 grid, stroked
}

export const PAGES: readonly PageEntry[] = [
  { id: "now", name: "Now", key: "n", icon: "M1.5 8.5h3l2-5 3 9 2-6 1 2h2" },
  { id: "decisions", name: "Decisions", key: "d", icon: "M2 4h12M2 8h12M2 12h7" },
  {
    id: "models",
    name: "Models",
    key: "m",
    icon: "M2.5 2.5h4.5v4.5h-4.5zM9 2.5h4.5v4.5h-4.5zM2.5 9h4.5v4.5h-4.5zM9 9h4.5v4.5h-4.5z",
  },
  { id: "trade-off", name: "Trade-off", key: "t", icon: "M2 2v12h12M4 11c1-5 4-7 9-7.500" },
  { id: "playground", name: "Playground", key: "p", icon: "M4.500 2.500l8 5.500-8 5.500z" },
  { id: "ledger", name: "Ledger", key: "l", icon: "M3 2h10v12h-10zM5.500 5.500h5M5.500 8h5M5.500 10.500h3" },
  {
    id: "keys",
    name: "Keys",
    key: "k",
    icon: "M8.700 7.300l5.300-5.300M11.500 4.500l2 2M9.500 10a3.500 3.500 0 1 1-7 0a3.500 3.500 0 1 1 7 0",
  },
];
