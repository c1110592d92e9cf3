// Adds new posts to the page as they come. The pieces are made, and escaped, by the server.
const status = document.getElementById("live");
const list = document.getElementById("posts");
const kept = 200;
const source = new EventSource(status.dataset.stream);
source.onopen = () => { status.textContent = "New ones appear here."; };
source.onerror = () => { status.textContent = "The connection is lost; trying again."; };
source.addEventListener("post", (event) => {
  const piece = new DOMParser().parseFromString(event.data, "text/html").body.firstElementChild;
  if (!piece) return;
  piece.classList.add("new");
  const empty = list.querySelector(":scope > .empty");
  if (empty) empty.remove();
  list.prepend(document.adoptNode(piece));
  while (list.children.length > kept) list.lastElementChild.remove();
});
