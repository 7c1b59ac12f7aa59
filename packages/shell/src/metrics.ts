import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** From a step in memory to the longest call, in seconds. */
const SECONDS_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** Every value of such a label would be a new time series that is never removed. */
const ID_LABEL = /^(tenant|agent|user|session|call|replica|person)$|(^|_)id$|Id$/;

const registry = new Registry();
collectDefaultMetrics({ register: registry });

/** Makes a counter, once per process. Throws a TypeError when a label is an identifier. */
export function counter<L extends string = never>(
  name: string,
  help: string,
  labels: readonly L[] = [],
): Counter<L> {
  checkLabels(name, labels);
  return new Counter({ name, help, labelNames: labels, registers: [registry] });
}

/** Makes a gauge whose value is read at each scrape. */
export function gauge(name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

/** Makes a gauge for each value of a label, read at each scrape. Throws a TypeError when the label is an identifier. */
export function gauges<L extends string>(
  name: string,
  help: string,
  { label, read }: { label: L; read: () => ReadonlyMap<string, number> },
): void {
  checkLabels(name, [label]);
  new Gauge<string>({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      this.reset();
      for (const [value, reading] of read()) this.set({ [label]: value }, reading);
    },
  });
}

/** Makes a histogram of seconds, once per process. Throws a TypeError when a label is an identifier. */
export function histogram<L extends string = never>(
  name: string,
  help: string,
  labels: readonly L[] = [],
): Histogram<L> {
  checkLabels(name, labels);
  return new Histogram({ name, help, labelNames: labels, buckets: SECONDS_BUCKETS, registers: [registry] });
}

/** Returns every metric of this process in Prometheus text, and its content type. */
export async function metricsText(): Promise<{ contentType: string; text: string }> {
  return { contentType: registry.contentType, text: await registry.metrics() };
}

function checkLabels(name: string, labels: readonly string[]): void {
  const wrong = labels.find((label) => ID_LABEL.test(label));
  if (wrong !== undefined) throw new TypeError(`${name}: ids never label a metric, so not ${wrong}.`);
}
