// Starts the lab: at once, or on a phone with the first touch. Until then a phone has a picture of the run and does
// nothing: the engines take a second of its time and some of its battery, which are the reader's to spend.
import './boot.css';
import { NO_PHONE, PHONE } from './phone';
import { wanted } from './tongue';

/** A link names a run, of which there is no picture yet; who was here before has all on the phone already. */
function waits(): boolean {
  const again = 'serviceWorker' in navigator && navigator.serviceWorker.controller !== null;
  return matchMedia(PHONE).matches && location.hash.length <= 1 && !again;
}

/** The theme of the picture: the reader's last choice, else the system's. */
function theme(): void {
  let kept: string | null = null;
  try {
    kept = localStorage.getItem('theme');
  } catch {
    // Then the system's.
  }
  const dark = kept === null ? !matchMedia('(prefers-color-scheme: light)').matches : kept === 'dark';
  document.documentElement.classList.toggle('dark', dark);
  document.documentElement.classList.toggle('light', !dark);
}

/** The few texts are there in each language. */
function speak(shell: Element): void {
  const tongue = wanted();
  document.documentElement.lang = tongue;
  for (const text of shell.querySelectorAll<HTMLElement>(`[data-${tongue}]`)) {
    text.textContent = text.dataset[tongue] ?? '';
  }
  if (tongue === 'en') return;
  const named = (address: string) => address.replace(/\.svg$/, `.${tongue}.svg`);
  for (const light of shell.querySelectorAll('source')) light.srcset = named(light.srcset);
  for (const picture of shell.querySelectorAll('img')) {
    picture.alt = picture.closest('figure')?.querySelector('figcaption span')?.textContent ?? '';
    picture.src = named(picture.src);
  }
}

/** Fetches what the lab needs. A script that waits to be touched is not compiled before it is run. */
function fetchAll(waiting: boolean): void {
  for (const link of document.querySelectorAll<HTMLLinkElement>(`link[media="${NO_PHONE}"]`)) {
    if (waiting && link.rel === 'modulepreload') link.rel = 'prefetch';
    link.removeAttribute('media');
  }
}

/** When what the reader looks at first has been painted: what is fetched ahead must not hold it up on a slow line. */
async function painted(shell: Element): Promise<void> {
  const picture = shell.querySelector('img');
  // A picture that does not come shall not keep the engines away.
  await picture?.decode().catch(() => {});
  // The first frame takes the picture in, the second comes when it is out.
  await new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)));
}

function start(): Promise<unknown> {
  return import('./lab/lab');
}

const shell = document.querySelector('.shell');
theme();
if (shell) speak(shell);
if (shell && waits()) {
  document.documentElement.classList.add('waits');
  const ahead = () => painted(shell).then(() => fetchAll(true));
  if (document.readyState === 'complete') void ahead();
  else addEventListener('load', () => void ahead(), { once: true });
  let started = false;
  const begin = () => {
    if (started) return;
    started = true;
    shell.setAttribute('aria-busy', 'true');
    // Without the network the picture stays, and another touch tries again.
    start().catch(() => {
      started = false;
      shell.removeAttribute('aria-busy');
    });
  };
  shell.addEventListener('click', begin);
  addEventListener('keydown', begin);
  addEventListener('hashchange', begin);
} else {
  if (matchMedia(PHONE).matches) fetchAll(false);
  void start();
}
