import { agentEntrySchema } from '@interlock/contracts';
import { describe, expect, test } from 'vitest';
import { Volumes } from './volume.ts';

const MEBIBYTE = 1_048_576;
const HOUR_MS = 3_600_000;

function agentOf(tenant: string, agent: string, caps: object = {}) {
  const rates = { ratePerSecond: 50, burst: 100, inFlight: 32 };
  return agentEntrySchema.parse({
    tenant,
    agent,
    user: 'ann',
    session: 's',
    keys: [],
    caps: { ...rates, ...caps },
  });
}

describe('[P-ingress-volume] what an agent stores', () => {
  test('is limited in an hour, by the agent and by its tenant, and takes nothing from another', () => {
    const volumes = new Volumes({ tenantBytesPerHour: 100 * MEBIBYTE });
    volumes.spend(agentOf('acme', 'one'), 64 * MEBIBYTE, 0);
    expect(() => volumes.spend(agentOf('acme', 'one'), 1, 0)).toThrow('This agent sent more than the 64 MiB');
    volumes.spend(agentOf('acme', 'two'), 36 * MEBIBYTE, 0);
    expect(() => volumes.spend(agentOf('acme', 'two'), 1, 0)).toThrow(
      'The tenant sent more than the 100 MiB',
    );
    volumes.spend(agentOf('rival', 'one'), 64 * MEBIBYTE, 0);
  });

  test('says when there is room, and there is then', () => {
    const volumes = new Volumes({ tenantBytesPerHour: 256 * MEBIBYTE });
    const agent = agentOf('acme', 'one', { bytesPerHour: 2 * MEBIBYTE });
    volumes.spend(agent, 2 * MEBIBYTE, 0);
    const refused = (() => {
      try {
        return volumes.spend(agent, MEBIBYTE, 0);
      } catch (error) {
        return error;
      }
    })();
    expect(refused).toMatchObject({ code: 'agent_flood', rule: 'agent-bytes', retryAfterMs: HOUR_MS / 2 });
    expect(() => volumes.spend(agent, MEBIBYTE, HOUR_MS / 2 - 1)).toThrow('agent_flood');
    volumes.spend(agent, MEBIBYTE, HOUR_MS / 2);
  });

  test('is not counted where it was refused', () => {
    const volumes = new Volumes({ tenantBytesPerHour: MEBIBYTE });
    const agent = agentOf('acme', 'one');
    for (let i = 0; i < 100; i += 1) expect(() => volumes.spend(agent, 2 * MEBIBYTE, 0)).toThrow('tenant');
    volumes.spend(agent, MEBIBYTE, 0);
  });
});
