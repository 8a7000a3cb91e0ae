// Diagrams without a CDN: the site's generator asks for a global `mermaid`, and would load one from
// unpkg.com if there were none. This one loads the real library, which lies beside it, when a page has
// a diagram. Where that fails, and without JavaScript, the diagram's text is shown instead.
(() => {
  const place = new URL("vendor/mermaid.js", document.currentScript.src);
  let options = {};
  let library;

  const load = () =>
    new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = place;
      script.onload = () => resolve(globalThis.mermaid);
      script.onerror = () => reject(new Error(`${place} cannot be loaded`));
      document.head.append(script);
    });

  globalThis.mermaid = {
    initialize(given) {
      options = given;
    },
    async render(id, text) {
      library ??= load();
      const mermaid = await library;
      mermaid.initialize(options);
      return mermaid.render(id, text);
    },
  };
})();
