// The service worker: keeps this version's files, and answers from them when the network does not.
// The build writes the version and the list of files into it.
const version = VERSION;
const files = FILES;

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(version)
      .then((cache) => cache.addAll(files))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== version).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener('fetch', (event) => {
  if (event.request.method !== 'GET' || new URL(event.request.url).origin !== location.origin) return;
  const kept = () => caches.match(event.request, { ignoreSearch: true, ignoreVary: true });
  // Files with a hash in their names never change; pages are asked of the network first, so that updates arrive.
  const hashed = new URL(event.request.url).pathname.includes('/assets/');
  const answer = hashed ? kept().then((found) => found ?? fetch(event.request)) : fetch(event.request).catch(kept);
  event.respondWith(answer.then((response) => response ?? Response.error()));
});
