// Hears what moves, while the page is seen: a browser has few connections to a server.
const AGAIN_MS = 10_000;

export function follow(told, path = "/console/queue/news") {
  let source, timer;
  const open = () => {
    clearTimeout(timer);
    source?.close();
    source = new EventSource(path);
    source.onmessage = (event) => told(JSON.parse(event.data));
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) { timer = setTimeout(open, AGAIN_MS); }
    };
  };
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) { open(); return; }
    clearTimeout(timer);
    source.close();
  });
  addEventListener("pagehide", () => source?.close());
  if (!document.hidden) { open(); }
}
