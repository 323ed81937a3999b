// Tells when the server no longer answers what the page keeps asking, and when it does again.
const lost = document.getElementById("lost");
for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.body.addEventListener(name, () => { lost.hidden = false; });
}
document.body.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) { lost.hidden = true; }
});
