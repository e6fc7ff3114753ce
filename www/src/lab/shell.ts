// What stands before the lab does (boot.ts), and when it goes.
import type { Session } from '../session';

/** Takes it away: on a phone, once the stages are there in place of their pictures. */
export function uncover(session: Session | undefined, isSpoken: boolean, inTrouble: boolean): void {
  const shell = document.querySelector('.shell');
  if (!shell) return;
  const pictured = document.documentElement.classList.contains('waits');
  const { run } = session ?? {};
  const isThere = session?.isOnTheWay === false && (run?.picture(0) ?? run?.picture(1)) !== null;
  if (inTrouble || (pictured ? isThere : isSpoken)) shell.remove();
}
