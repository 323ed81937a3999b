// Asks the server in the background, and tells apart what it said from what it never heard.
const REFUSALS = [403, 404, 409, 413, 422];
const LONGEST_MS = 15_000;

// {kind, answer, detail}: done with the answer; refused, for good; lost, to be asked again; or signed-out.
export async function post(path, body) {
  let response, answer;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify(body),
      redirect: "manual",
      keepalive: true,
      signal: AbortSignal.timeout(LONGEST_MS),
    });
    if (response.type === "opaqueredirect" || response.status === 401) { return { kind: "signed-out" }; }
    answer = await response.json();
  } catch {
    return { kind: "lost" };
  }
  if (response.ok) { return { kind: "done", answer }; }
  return { kind: REFUSALS.includes(response.status) ? "refused" : "lost", detail: answer.detail };
}
