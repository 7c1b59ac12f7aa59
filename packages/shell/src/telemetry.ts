import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { type CommonConfig, setEnvironmentDefaults } from './config.ts';

/** Defaults of variables that the SDK reads from the environment. */
const sdkDefaults = {
  // W3C Trace Context only: baggage would send an agent's text to every upstream.
  OTEL_PROPAGATORS: 'tracecontext',
  // Spans that wait for the collector; more are dropped, not kept in memory.
  OTEL_BSP_MAX_QUEUE_SIZE: '4096',
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '512',
  OTEL_BSP_SCHEDULE_DELAY: '1000',
  OTEL_BSP_EXPORT_TIMEOUT: '5000',
  OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: '64',
  OTEL_SPAN_EVENT_COUNT_LIMIT: '32',
  OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT: '1024',
} as const;
/** One request to the collector. */
const EXPORT_TIMEOUT_MS = 5_000;
const EXPORTS_AT_ONCE = 2;

/** Telemetry of a process. Shutting down sends the spans that it still has. */
export interface Telemetry {
  shutdown(): Promise<void>;
}

/**
 * Starts tracing under a service name. Without an OTLP endpoint no span is recorded, and trace context is still
 * propagated. Nothing is detected or instrumented automatically: a resource detector would publish the arguments of the
 * process.
 */
export function startTelemetry(
  serviceName: string,
  config: Pick<CommonConfig, 'OTEL_EXPORTER_OTLP_ENDPOINT' | 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'>,
): Telemetry {
  setEnvironmentDefaults(sdkDefaults);
  const exports =
    config.OTEL_EXPORTER_OTLP_ENDPOINT !== undefined ||
    config.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT !== undefined;
  const sdk = new NodeSDK({
    serviceName,
    autoDetectResources: false,
    instrumentations: [],
    metricReaders: [],
    logRecordProcessors: [],
    ...(exports
      ? {
          traceExporter: new OTLPTraceExporter({
            timeoutMillis: EXPORT_TIMEOUT_MS,
            concurrencyLimit: EXPORTS_AT_ONCE,
          }),
        }
      : { spanProcessors: [] }),
  });
  sdk.start();
  return sdk;
}
