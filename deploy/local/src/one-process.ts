/** All services in one process: the same definitions, the same bus, and the provisioner first. */
import { approverService } from '@interlock/approver';
import { auditorService } from '@interlock/auditor';
import { brokerService } from '@interlock/broker';
import { consoleService } from '@interlock/console';
import { deciderService } from '@interlock/decider';
import { executorService } from '@interlock/executor';
import { ingressService } from '@interlock/ingress';
import { limiterService } from '@interlock/limiter';
import { provisionerService } from '@interlock/provisioner';
import { run } from '@interlock/shell';

await run([
  provisionerService,
  auditorService,
  brokerService,
  executorService,
  limiterService,
  approverService,
  deciderService,
  consoleService,
  ingressService,
]);
