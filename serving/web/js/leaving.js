// Owns the browser's question before the page is left: asked where something would go that nothing else holds, and
// nowhere else, as a question that is always asked is never read.

const holders = new Set();

// `wouldLose` says at any time whether something would go; gives what takes it back.
export function askBeforeLeaving(wouldLose) {
  holders.add(wouldLose);
  return () => holders.delete(wouldLose);
}

addEventListener("beforeunload", (event) => {
  if ([...holders].some((wouldLose) => wouldLose())) event.preventDefault();
});
