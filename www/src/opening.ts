// What the address asks for: a shared run, or the gallery's first.
import { load, loadRest, openLink, speak } from './engine/engine';
import { other, playhead, spoken } from './language';
import { Session } from './session';

/** Where a fresh run is watched from: behind the connecting and the group's forming, before the first fault. */
export const FROM = 2.2e9;
/** Seconds of the run for a second at the wall, to begin with. */
export const SPEED = 1 / 5;

/** Whether the reader asked for less motion: then runs start paused. */
export function calm(): boolean {
  return matchMedia('(prefers-reduced-motion: reduce)').matches;
}

/** Opens what the fragment holds, or `fallback` if it holds nothing. Throws with a sentence if it is damaged. */
export async function open(fragment: string, fallback: string): Promise<Session> {
  // A shared run may need any of the engines. On a later visit all is kept on this machine.
  const again = 'serviceWorker' in navigator && navigator.serviceWorker.controller !== null;
  await Promise.all([again || fragment.length > 1 ? loadRest() : load(), spoken]);
  if (other) speak(other.engines);
  if (fragment.length > 1) {
    const { document, digest } = openLink(fragment);
    const session = begin(document, digest ?? undefined);
    const at = playhead();
    if (at !== undefined) session.act({ do: 'seek', to: at });
    return session;
  }
  // A test holds that this one is written as the engine writes it: it need not be asked.
  return begin(fallback, undefined, true);
}

export function begin(text: string, promised: string | undefined, written = false): Session {
  const session = new Session(text, { speed: SPEED, playing: !calm(), promised, written });
  session.approach(Math.min(FROM, session.transport.end / 4));
  return session;
}

const paper = matchMedia('print');

/** The theme: the reader's last choice, else the system's; that of forced colours, and light on paper. */
export function applyTheme(choice = localStorage.getItem('theme')): void {
  const system = choice === null || matchMedia('(forced-colors: active)').matches;
  const dark = paper.matches
    ? false
    : system
      ? !matchMedia('(prefers-color-scheme: light)').matches
      : choice === 'dark';
  document.documentElement.classList.toggle('dark', dark);
  document.documentElement.classList.toggle('light', !dark);
}

paper.onchange = () => applyTheme();

/** The styles for paper and for forced colours. */
export const otherEyes = () => import('./other-eyes.css');
if (matchMedia('(forced-colors: active)').matches) void otherEyes();

/** When the page is there to be used: brings the rest of the engines, then what else `then` loads; then keeps all. */
export function settle(then: () => unknown): void {
  const offline = () => {
    // Where that is not allowed (a file, an odd host), the page works as before.
    if ('serviceWorker' in navigator) void navigator.serviceWorker.register('./offline.js').catch(() => undefined);
  };
  // Without the network what is missing is asked for again when it is first called.
  void loadRest()
    .catch(() => undefined)
    .then(then)
    .then(otherEyes)
    .catch(() => undefined)
    .then(offline);
}
