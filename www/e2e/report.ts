import { appendFileSync } from 'node:fs';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** Writes what failed, and what passed at a second attempt only, to the file that the runner shows last. */
export class Told implements Reporter {
  private tell(what: string, name: string, why: string | undefined): void {
    const file = process.env.TOLD;
    if (file) appendFileSync(file, `${what}  ${name}\n        ${(why ?? '').split('\n')[0]}\n`);
  }

  onTestCaseResult(test: TestCase): void {
    const { state, errors } = test.result();
    const name = `${test.module.relativeModuleId}: ${test.fullName}`;
    if (state === 'failed') this.tell('FAILED', name, errors[0]?.message);
    else if (test.diagnostic()?.flaky) this.tell('PASSED AT A SECOND ATTEMPT', name, errors?.[0]?.message);
  }

  onTestModuleEnd(module: TestModule): void {
    for (const error of module.errors()) this.tell('FAILED', module.relativeModuleId, error.message);
  }
}
