// What this browser keeps; where it keeps nothing, what is kept lives as long as the page.
export const store = findStore();

function findStore() {
  try {
    const name = "flagrank";
    localStorage.setItem(name, "");
    localStorage.removeItem(name);
    return localStorage;
  } catch {
    const kept = new Map();
    return {
      get length() { return kept.size; },
      key: (place) => [...kept.keys()][place],
      getItem: (key) => kept.get(key),
      setItem: (key, text) => kept.set(key, text),
      removeItem: (key) => kept.delete(key),
    };
  }
}
