// What the gateway's /ui/api gives and takes, the one description that both sides are written from.
// Times are Unix seconds (`*_s`), money is whole nano-dollars (`*_nano`), scores and qualities are in [0, 1].
// Amounts of a fund are whole units of it: nano-dollars, tokens or requests.

export type Id = string;

// GET /ui/api/session · POST {key, changes?: boolean} · DELETE
export interface Session {
  signed_in: boolean;
  role: "viewer" | "admin" | null; // viewer: the dashboard key, sees no prompt; admin: the master key
  changes: boolean; // whether this session may change anything
  prompts: boolean; // whether it may see prompts that are stored
  needs_key: boolean; // false for an open gateway on loopback
  expires_s: number | null;
  version: string;
  notice: string; // of the configuration, e.g. "Simulated models"; "" for none
  workers: number;
}

// One step of the traffic, all workers together.
export interface Point {
  t: number; // the step's beginning
  queries: number; // all that ended in it
  served: number;
  refused: number;
  failed: number; // upstream_failed and client_gone
  cost_nano: number;
  quality: number | null; // mean estimate of the models that served
  feedback: number | null; // mean score given in it
  feedbacks: number;
  overhead_p50_ms: number | null;
  overhead_p99_ms: number | null;
  by_model: Record<Id, number>; // served
}

export interface FundPoint {
  t: number;
  funds: Record<string, [remaining: number, held: number, spent: number, price: number | null]>;
}

export type FundState = "fine" | "fast" | "slow" | "empty";

export interface Fund {
  name: string;
  unit: "usd" | "tokens" | "requests";
  amount: number;
  held: number;
  spent: number;
  remaining: number;
  overrun: number;
  price: number | null; // quality per dollar, token or request
  window: string; // "1 month (Europe/Berlin)", "rolling 24 h", "once"
  starts_s: number | null; // of the window in force, for the pace line
  ends_s: number | null;
  pace: number | null; // what would remain now if it were spent evenly; null where there is no end
  spend_per_s: number; // lately
  empty_s: number | null; // forecast of when it is empty; null where it lasts
  state: FundState;
  of_key: string | null; // a virtual key's own
  draws: string; // in words: "all queries", "models openai/*", "key team-a"
}

export interface Alarm {
  id: string;
  kind: string;
  model: string | null;
  severity: "warning" | "alarm";
  what: string; // one sentence
  since_s: number;
  active: boolean;
  acknowledged_s: number | null;
}

// GET /ui/api/now?minutes=15
export interface Now {
  at_s: number;
  step_s: number;
  points: Point[]; // oldest first, at most 450
  fund_points: FundPoint[];
  funds: Fund[];
  alarms: Alarm[]; // active first
  models: Id[]; // serving, in the configuration's order
  estimates_from: string;
}

// GET /ui/api/decisions?limit=&before=&after=&model=&key=&outcome=&reason=&asked=&scored=&least_cost_nano=&text=
export interface Row {
  number: number; // grows with time; for `before` and `after`
  decision_id: Id;
  at_s: number;
  key_id: string;
  shape: string;
  asked: string;
  model: Id | null;
  outcome: "served" | "client_gone" | "refused" | "upstream_failed";
  status: number;
  reason: string;
  stream: boolean;
  input_tokens: number | null;
  output_tokens: number | null;
  cost_nano: number;
  held_nano: number;
  quality: number | null; // estimate for the model that served
  spread: number | null;
  feedback: number | null;
  runner_up: Id | null;
  hops: number;
  total_ms: number;
  overhead_ms: number;
}
export interface Decisions {
  rows: Row[]; // newest first
  next: number | null; // give it as `before` for the next page
  models: Id[];
  keys: string[];
  reasons: string[];
}

// GET /ui/api/decisions/{id}
export interface Candidate {
  model: Id;
  quality: number | null;
  spread: number | null;
  cost_usd: number | null;
  tokens: number | null;
  charge: number | null;
  score: number | null;
  low: number | null; // 90 % interval of the estimated quality
  high: number | null;
  why: string; // "chosen", or why it lost, in one sentence
  parts: { fund: string; unit: string; price: number; charge: number }[]; // what its charge is made of
}
export interface Neighbour {
  prompt_id: string;
  dataset: string;
  similarity: number;
  text: string | null; // null without the right to see prompts
  scores: Record<Id, number>;
}
export interface Stage {
  name: string;
  seconds: number;
}
export interface Hop {
  model: Id;
  endpoint: string;
  fault: string | null;
  cost_nano: number;
  seconds: number;
}
export interface Entry {
  number: number;
  at_s: number;
  kind: string; // hold, post, void, expire, grant, …
  fund: string;
  unit: string;
  amount: number;
  hold_id: string | null;
  decision_id: Id | null;
  note: string;
}
export interface Opened {
  row: Row;
  prompt: { text: string | null; why: string }; // why there is none to see
  candidates: Candidate[]; // best score first
  funds: { fund: string; unit: string; price: number }[]; // it drew on, and their prices then
  neighbours: { rows: Neighbour[]; why: string };
  topic: { number: number; label: string; share: number } | null;
  stages: Stage[];
  hops: Hop[];
  entries: Entry[];
  raw: unknown; // as /v1/decisions/{id} gives it
}

// GET /ui/api/models
export interface ModelRow {
  id: Id;
  provider: string;
  duty: "serving" | "waiting" | "shadow" | "retired";
  why: string;
  known_by: "fitted" | "placed" | "declared";
  outcomes: number;
  input_usd: number; // per million tokens
  output_usd: number;
  quality: number;
  spread: number;
  share: number | null;
  answered: number;
  scored: number;
  feedback: number | null;
  cost_nano: number | null; // mean of the latest answers
  total_p50_ms: number | null;
  total_p99_ms: number | null;
  failed_share: number | null;
  health: "up" | "resting" | "unknown";
  endpoints: { name: string; resting_s: number | null }[];
  alarms: number;
}
export interface Profile {
  rows: { label: string; note: string; share: number | null }[]; // skills, or clusters of the history
  cells: Record<Id, (number | null)[]>; // mean score in [0, 1] by model, one for each row
}
export interface Calibration {
  id: Id;
  bins: { expected: number; got: number; low: number; high: number; count: number }[];
  error: number | null; // expected calibration error
}
export interface Models {
  models: ModelRow[];
  skills: Profile; // from graded probes; rows empty where no model was onboarded
  topics: Profile; // from recorded outcomes and feedback by cluster
  likeness: { id: Id; x: number; y: number }[]; // near: they err on the same prompts
  likeness_why: string; // why there is none
  calibration: Calibration[];
}
// GET /ui/api/onboardings -> {onboardings: Onboarding[]} · POST {model, budget_usd, probes?} · DELETE /ui/api/onboardings/{slug}; live: event "onboarding"
export interface Onboarding {
  slug: string;
  model: Id;
  stage: string;
  asked: number;
  graded: number;
  of: number;
  spent_nano: number;
  mean: number | null;
  low: number | null;
  high: number | null;
  done: boolean;
  error: string;
  eta_s: number | null;
}

// GET /ui/api/trade-off
export interface Outcome {
  quality: number; // mean over all queries, a query that isn't served counts 0
  cost_nano: number; // of all queries
  served: number; // share
  shares: Record<Id, number>;
  funds: { fund: string; unit: string; amount: number; spent: number; runs_out: number | null }[]; // share of the traffic after which it is empty
}
export interface TradeOff {
  queries: number; // the latest ones that this is of
  from_s: number | null;
  to_s: number | null;
  why: string; // why there is nothing to show, or what it rests on
  knob: number; // trade-off in force, quality per dollar… as the configuration has it
  here: Outcome | null;
  frontier: { knob: number; quality: number; cost_nano: number; served: number }[]; // the same queries without budgets
  models: { id: Id; quality: number; cost_nano: number }[]; // every query to one model, no budget; over those that it was a candidate of
  funds: { name: string; unit: string; amount: number; least: number; most: number }[]; // sliders, configured funds alone
}
// POST /ui/api/trade-off/replay {funds: {name: amount}, knob: number}
export interface Replayed {
  before: Outcome;
  after: Outcome;
  moved: number;
} // share of queries that go elsewhere
// POST /ui/api/trade-off/write (same body; needs changes)
export interface Written {
  path: string;
  diff: string;
}

// POST /ui/api/route {prompt, model?} -> as /v1/route, candidates as in Opened
export interface Routed {
  model: Id | null;
  reason: string;
  candidates: Candidate[];
  funds: { fund: string; unit: string; price: number }[];
  neighbours: { rows: Neighbour[]; why: string };
  input_tokens: number;
}
// POST /ui/api/send {prompt, model?} (needs changes): the stream of /v1/chat/completions; headers x-pointsman-*

// GET /ui/api/entries?fund=&kind=&before=&limit=&decision=
export interface Entries {
  rows: Entry[];
  next: number | null;
  kinds: string[];
  funds: string[];
}
// GET /ui/api/funds -> {funds: Fund[]} · POST /ui/api/audit
export interface Audit {
  ok: boolean;
  entries: number;
  problems: string[];
  took_s: number;
}
// GET /ui/api/keys -> {keys: Key[]}, the newest first · POST (as /admin/keys; the answer is a Key with `key`, the secret,
// once) · DELETE /ui/api/keys/{id}
export interface Key {
  id: string;
  models: string[];
  tags: string[];
  created_s: number;
  expires_s: number | null;
  revoked_s: number | null;
  requests_per_minute: number | null;
  tokens_per_minute: number | null;
  budget_usd: string | null;
  fund: Fund | null;
}
// GET /ui/api/alarms -> {alarms: Alarm[]} · POST /ui/api/alarms/{id}/acknowledge (needs changes) -> Alarm

// GET /ui/api/live: server-sent events, each `data:` JSON
//   pulse: {point: Point, funds: FundPoint, balances: Fund[]}      once a step
//   decisions: {rows: Row[], skipped: number,                     newest first, at most 50 at once
//               scores: {decision_id, feedback}[]}                first scores of earlier rows, at most 50
//   alarms: {alarms: Alarm[]}                                      when they change
//   onboarding: {onboardings: Onboarding[]}                        while any runs, and once at its end
//   changed: {}                                                    another configuration, rates or models are in force
